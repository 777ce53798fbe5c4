# Not built by us: we had no container host with a GPU. docs/cluster.md says how to use it.
FROM python:3.11-slim

# What opencv-python needs.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*

WORKDIR /src
COPY . .
RUN pip install --no-cache-dir ".[train,metrics,perception,video,studio]"

# Runs and data are mounted here; models that are downloaded stay in the container unless /cache is mounted, too.
WORKDIR /work
ENV XDG_CACHE_HOME=/cache
ENTRYPOINT ["semanticgan"]
CMD ["--help"]
