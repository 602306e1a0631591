# A team's review server: `docker build -t cats . && docker run -p 8501:8501 -v $PWD/survey:/survey cats`
FROM python:3.12-slim AS build
WORKDIR /src
COPY . .
RUN pip install --no-cache-dir build && python -m build --wheel --outdir /wheels .

FROM python:3.12-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir "$(ls /wheels/*.whl)[dashboard]" && rm -r /wheels \
    && useradd --create-home --uid 1000 cats && mkdir /survey && chown cats /survey
USER cats
WORKDIR /survey
VOLUME /survey
EXPOSE 8501
HEALTHCHECK CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8501/_stcore/health', timeout=3)"]
ENTRYPOINT ["cats"]
CMD ["doctor"]
