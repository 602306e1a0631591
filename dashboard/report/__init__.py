"""A survey as one document to publish beside a paper. Open `write` first.

`asked` holds what the survey answers, `sections` says it, `document` is how a page is written, and
`chromium` prints it.
"""
