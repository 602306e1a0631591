# A team's review server, from the versions of requirements.lock:
#   docker build -t cats . && docker run -p 8501:8501 -v "$PWD/my-survey:/survey" cats
# Who may decide: docs/review.md, "One server for a team".
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /wheels .

FROM python:3.12-slim
COPY requirements.lock .
RUN pip install --no-cache-dir -r requirements.lock
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-deps /wheels/*.whl && rm -r /wheels requirements.lock \
    && useradd --create-home --uid 1000 cats && mkdir /survey && chown cats /survey
USER cats
WORKDIR /survey
VOLUME /survey
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=3)"]
ENTRYPOINT ["cats"]
CMD ["dashboard", "--review", "--host", "0.0.0.0", "--port", "8501"]
