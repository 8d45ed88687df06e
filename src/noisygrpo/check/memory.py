"""Memory of one GPU, alone or of several, by how the model is sharded: the one formula.

P GPUs; N parameters that take W bytes as loaded (4-bit weights included), N_t of them trained,
stored in w bytes each; numbers of c bytes in computation (2 under mixed precision, else w)::

                weights                     gradients     optimiser (AdamW)
    ddp         W + c N_t where c < w       w N_t         2 w N_t
    fsdp2       W / P + gathered            w N_t / P     2 w N_t / P
    zero2       c N                         c N_t / P     12 N_t / P   (8 N_t / P where c = 4)
    zero3       c N / P + gathered          c N_t / P     12 N_t / P   (8 N_t / P where c = 4)

- The second term of ddp is the copy in computing precision that autocast keeps of trained weights.
- DeepSpeed holds the model in computing precision and, in the optimiser's share, a float32 master
  copy beside AdamW's two moments: 4 + 8 bytes a parameter (Rajbhandari et al. 2020,
  arXiv 1910.02054, section 3.1).
- gathered = c (N outside the blocks + 2 of the largest block): what is whole at one time, the next
  block being fetched while one computes. zero3 gathers all N to generate without vLLM.
- With offload the optimiser's share lies in host memory.
- The reference (beta > 0, without LoRA) is N numbers of w bytes (c under DeepSpeed), divided by P
  under zero3 and fsdp2.

What the rollouts need, with b of T tokens in a micro-batch on one GPU, b s generated together, and
the language model's L layers of width H with n_kv key-value heads of size d::

    layer        c b T kept          (kept: numbers of a token, see ``check.activations``)
    activations  L layer; with gradient checkpointing c b T H L + layer; the same of a tower that
                 is trained, of whose L blocks each keeps its numbers for every patch
    cache        2 w L n_kv d T b s  (c for w under DeepSpeed; 0 where vLLM generates)

Log-probabilities are computed in chunks: the [b, T, vocabulary] logits never exist. A shared
prefix needs less than this, as prompts and pictures of a group are kept once.

    peak = weights + gradients + optimiser + reference
           + the larger of (activations) and (cache + what is gathered to generate)

With vLLM in the same process its share ``vllm_gpu_memory_utilization`` comes on top, all the time
or, with ``vllm_enable_sleep_mode``, only while generating. A GPU counts as large enough up to 90 %
of its memory: fragmentation and the CUDA context take the rest.

``noisygrpo check`` prints the row "ddp" for one device, ``noisygrpo check --plan`` all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from noisygrpo.check.model_size import ModelSize
from noisygrpo.training.config import NoisyGRPOConfig

GB = 1e9

USABLE = 0.9
"""Share of a GPU's memory that a plan may fill."""

STRATEGIES = ("ddp", "fsdp2", "zero2", "zero2 + offload", "zero3", "zero3 + offload")


@dataclass(frozen=True)
class DeviceLoad:
    """What a GPU has to hold beside the model."""

    gpus: int
    """P."""
    per_device: int
    """Rollouts of a micro-batch on one GPU."""
    generated: int
    """Rollouts that one GPU generates together."""
    tokens: int
    """Longest sequence: prompt and completion."""
    patches: int
    """Of the longest prompt's pictures, in the vision tower."""
    compute: int
    """c."""
    checkpointing: bool
    reference: bool
    vllm_share: float
    """Of a GPU's memory, for vLLM in the same process; 0 without."""
    vllm_sleeps: bool
    generates: bool
    """Whether the training process generates, without vLLM."""


@dataclass(frozen=True)
class MemoryShare:
    """Bytes on one GPU (and, offloaded, in host memory for one GPU)."""

    weights: float
    gradients: float
    optimiser: float
    reference: float
    activations: float
    generation: float
    vllm: float
    peak: float
    host: float


def device_load(
    config: NoisyGRPOConfig,
    gpus: int,
    *,
    prompt_tokens: int,
    patches: int,
    width: int,
    half: bool,
    lora: bool,
) -> DeviceLoad:
    """Return what each GPU has to hold, from a config made for all rollouts on one process.

    Args:
        config: with ``per_device_train_batch_size`` counting the rollouts of all GPUs.
        gpus: P.
        prompt_tokens: length of the longest prompt, image tokens included.
        patches: the most patches that the pictures of a prompt have.
        width: bytes of a trained weight.
        half: whether computation is in 16 bits.
        lora: whether adapters are trained, so that the reference costs nothing.
    """
    per_device = config.per_device_train_batch_size // gpus
    colocated = config.use_vllm and config.vllm_mode == "colocate"
    return DeviceLoad(
        gpus=gpus,
        per_device=per_device,
        generated=per_device * config.steps_per_generation,
        tokens=prompt_tokens + config.max_completion_length,
        patches=patches,
        compute=2 if half else width,
        checkpointing=bool(config.gradient_checkpointing),
        reference=config.beta > 0 and not lora,
        vllm_share=config.vllm_gpu_memory_utilization if colocated else 0.0,
        vllm_sleeps=colocated and bool(config.vllm_enable_sleep_mode),
        generates=not config.use_vllm,
    )


def memory_share(strategy: str, size: ModelSize, load: DeviceLoad, gpu: float) -> MemoryShare:
    """Return one GPU's share under a strategy of ``STRATEGIES``; ``gpu`` is its memory in bytes."""
    deepspeed, c = strategy.startswith("zero"), load.compute
    sharded = strategy == "fsdp2" or strategy.startswith("zero3")
    parts = load.gpus if sharded else 1
    stored = c * size.parameters if deepspeed else size.weights
    gathered = c * (size.outside + 2 * size.block) if sharded and load.gpus > 1 else 0
    weights = stored / parts + gathered
    if strategy == "ddp" and c < size.width:
        weights += c * size.trained
    gradients = (c if deepspeed else size.width) * size.trained
    optimiser = 2.0 * size.width * size.trained
    if deepspeed:
        optimiser = (12.0 if c < 4 else 8.0) * size.trained
    split = 1 if strategy == "ddp" else load.gpus
    offload = strategy.endswith("offload")
    reference = (c if deepspeed else size.width) * size.parameters * load.reference / parts
    whole = c * size.parameters - stored / parts if strategy.startswith("zero3") else 0
    generation = (cache(size, load, c if deepspeed else None) + max(whole, 0)) * load.generates
    update = activations(size, load)
    vllm = load.vllm_share * gpu
    fixed = weights + (gradients + (0 if offload else optimiser)) / split + reference
    awake = fixed + generation + vllm
    return MemoryShare(
        weights=weights,
        gradients=gradients / split,
        optimiser=0.0 if offload else optimiser / split,
        reference=reference,
        activations=update,
        generation=generation,
        vllm=vllm,
        peak=max(awake, fixed + update + (0 if load.vllm_sleeps else vllm)),
        host=optimiser / split if offload else 0.0,
    )


def activations(size: ModelSize, load: DeviceLoad) -> float:
    """Return the bytes that the forward of a micro-batch keeps; see the module's formula."""
    one = float(load.compute * load.per_device)
    layers = ((size.text, load.tokens), (size.tower, load.patches))
    blocks = [one * count * kind.kept for kind, count in layers]
    if load.checkpointing:  # of the blocks that are computed anew there is one at a time
        held = (count * kind.hidden * kind.layers for kind, count in layers)
        return one * sum(held) + max(blocks)
    return sum(block * kind.layers for block, (kind, _) in zip(blocks, layers, strict=True))


def cache(size: ModelSize, load: DeviceLoad, width: int | None = None) -> float:
    """Return the bytes of the key-value cache of all rollouts that one GPU generates together."""
    stored = max(2, round(size.weights / size.parameters))  # packed ones compute in 2 bytes
    one = 2 * (width or stored) * size.text.layers * size.kv * load.tokens
    return float(one * load.generated)


def memory_lines(size: ModelSize, share: MemoryShare) -> list[str]:
    """Say in words what one device holds without sharding."""
    parts = ("weights", "gradients", "optimiser", "reference", "activations", "generation")
    values = [f"{name} {gigabytes(vars(share)[name])}" for name in parts]
    return [
        f"{size.parameters / 1e6:,.1f} M parameters, {size.trained / 1e6:,.1f} M trained",
        ", ".join(values),
        f"about {gigabytes(share.peak)} on each device without sharding",
    ]


def gigabytes(count: float) -> str:
    """Bytes as ``1.2 GB``, or ``34 MB`` below a tenth."""
    if count >= 0.1 * GB:
        return f"{count / GB:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 or not count else "under 1 MB"
