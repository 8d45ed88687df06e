# docker build -t noisygrpo . && docker run --gpus all -v "$PWD:/runs" noisygrpo train qwen25vl-3b-lora-24gb --data.source my.jsonl
# Linux wheels of torch bring CUDA with them, so the image needs the driver of the host and nothing else.
FROM python:3.12-slim
WORKDIR /opt/noisygrpo
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN pip install --no-cache-dir -c constraints.txt '.[peft]'
WORKDIR /runs
ENTRYPOINT ["noisygrpo"]
CMD ["--help"]
