#!/bin/bash
# Hint-GRPO as released, on a node of 8 GPUs: seven train, the eighth generates by a vLLM server.
#
#   bash examples/hint_grpo_7_plus_1.sh hint-grpo-qwen2vl-7b Qwen/Qwen2-VL-7B-Instruct --output-dir runs/hint-7b
#
# Needs the extras deepspeed and vllm. What follows recipe and model goes to `noisygrpo train`.
set -euo pipefail

recipe=$1 model=$2
shift 2

VLLM_SERVER_DEV_MODE=1 CUDA_VISIBLE_DEVICES=7 vllm serve "$model" --port 8000 \
  --gpu-memory-utilization 0.6 --weight-transfer-config '{"backend": "nccl"}' \
  --logprobs-mode processed_logprobs --max-logprobs -1 --enable-scale-out &
server=$!
trap 'kill "$server"' EXIT

CUDA_VISIBLE_DEVICES=0,1,2,3,4,5,6 accelerate launch \
  --config_file examples/accelerate/zero3_offload.yaml --num_processes 7 -m noisygrpo train "$recipe" \
  --training.use_vllm true --training.vllm_mode server \
  --training.vllm_server_host 127.0.0.1 --training.vllm_server_port 8000 --training.vllm_server_timeout 900 "$@"
