"""Memory of one GPU of several, by how the model is sharded; ``noisygrpo check --plan`` prints it.

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

Activations and the key-value cache are those of ``budget``, with the cache in c bytes under
DeepSpeed. Peak = weights + gradients + optimiser + reference + the larger of (activations) and
(cache + what is gathered to generate). With vLLM in the same process its share
``vllm_gpu_memory_utilization`` comes on top, all the time or, with ``vllm_enable_sleep_mode``, only
while generating. A GPU counts as large enough up to 90 % of its memory: fragmentation and the CUDA
context take the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from noisygrpo.training.batches import GB, LAYER_BYTES, kv_width
from noisygrpo.training.config import NoisyGRPOConfig

USABLE = 0.9
"""Share of a GPU's memory that a plan may fill."""

NF4_BITS = 4.127
"""Bits of a weight in nf4 with double quantisation (arXiv 2305.14314, section 3)."""

STRATEGIES = ("ddp", "fsdp2", "zero2", "zero2 + offload", "zero3", "zero3 + offload")


@dataclass(frozen=True)
class Shape:
    """What a model's memory depends on."""

    parameters: int
    """N."""
    trained: int
    """N_t."""
    weights: float
    """W, bytes of all weights as they are loaded."""
    width: int
    """w, bytes of a trained weight."""
    outside: int
    """Parameters outside the blocks: embeddings, head, projections."""
    block: int
    """Parameters of the largest block."""
    layers: int
    """Of the language model, like the next two."""
    hidden: int
    kv: int
    """Numbers that a token leaves in the keys of one layer."""


@dataclass(frozen=True)
class Load:
    """What a GPU has to hold beside the model."""

    gpus: int
    """P."""
    per_device: int
    """Rollouts of a micro-batch on one GPU."""
    generated: int
    """Rollouts that one GPU generates together."""
    tokens: int
    """Longest sequence: prompt and completion."""
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
class Share:
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


def shape_of(model: nn.Module, text: Any, *, quantization: str | None = None) -> Shape:
    """Read the numbers off a model, which may be on the meta device.

    Args:
        model: with adapters and frozen parts as they will be trained.
        text: config of its language model.
        quantization: "4bit", "8bit" or None; of the linear layers but the head.
    """
    bits = {"4bit": NF4_BITS, "8bit": 8.0}.get(quantization or "")
    packed = _packed(model) if bits else set()
    everything = list(model.named_parameters())
    weights = sum(
        item.numel() * (float(bits or 0) / 8 if name in packed else item.element_size())
        for name, item in everything
    )
    trained = [item for _, item in everything if item.requires_grad]
    blocks = [_size(block) for block in _blocks(model)]
    total = sum(item.numel() for _, item in everything)
    return Shape(
        parameters=total,
        trained=sum(item.numel() for item in trained),
        weights=weights,
        width=trained[0].element_size() if trained else 4,
        outside=total - sum(blocks),
        block=max(blocks, default=0),
        layers=text.num_hidden_layers,
        hidden=text.hidden_size,
        kv=kv_width(text),
    )


def _size(module: nn.Module) -> int:
    return sum(item.numel() for item in module.parameters())


def _blocks(model: nn.Module) -> list[nn.Module]:
    """Return the members of the outermost lists of modules: the layers of text and vision."""
    found: list[nn.Module] = []
    within: list[str] = []
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(top) for top in within):
            within.append(name + ".")
            found += list(module)
    return found


def _packed(model: nn.Module) -> set[str]:
    """Return the names of the weights that bitsandbytes packs: of linear layers but the head."""
    return {
        f"{name}.weight"
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear) and "lm_head" not in name and "lora_" not in name
    }


def load_of(
    config: NoisyGRPOConfig, gpus: int, *, prompt_tokens: int, width: int, half: bool, lora: bool
) -> Load:
    """Return what each GPU has to hold, from a config made for all rollouts on one process.

    Args:
        config: with ``per_device_train_batch_size`` counting the rollouts of all GPUs.
        gpus: P.
        prompt_tokens: length of the longest prompt, image tokens included.
        width: bytes of a trained weight.
        half: whether computation is in 16 bits.
        lora: whether adapters are trained, so that the reference costs nothing.
    """
    per_device = config.per_device_train_batch_size // gpus
    colocated = config.use_vllm and config.vllm_mode == "colocate"
    return Load(
        gpus=gpus,
        per_device=per_device,
        generated=per_device * config.steps_per_generation,
        tokens=prompt_tokens + config.max_completion_length,
        compute=2 if half else width,
        checkpointing=bool(config.gradient_checkpointing),
        reference=config.beta > 0 and not lora,
        vllm_share=config.vllm_gpu_memory_utilization if colocated else 0.0,
        vllm_sleeps=colocated and bool(config.vllm_enable_sleep_mode),
        generates=not config.use_vllm,
    )


def share_of(strategy: str, shape: Shape, load: Load, gpu: float) -> Share:
    """Return one GPU's share under a strategy of ``STRATEGIES``; ``gpu`` is its memory in bytes."""
    deepspeed, c = strategy.startswith("zero"), load.compute
    sharded = strategy == "fsdp2" or strategy.startswith("zero3")
    parts = load.gpus if sharded else 1
    stored = c * shape.parameters if deepspeed else shape.weights
    gathered = c * (shape.outside + 2 * shape.block) if sharded and load.gpus > 1 else 0
    weights = stored / parts + gathered
    if strategy == "ddp" and c < shape.width:
        weights += c * shape.trained
    gradients = (c if deepspeed else shape.width) * shape.trained
    optimiser = 2.0 * shape.width * shape.trained
    if deepspeed:
        optimiser = (12.0 if c < 4 else 8.0) * shape.trained
    split = 1 if strategy == "ddp" else load.gpus
    offload = strategy.endswith("offload")
    reference = (c if deepspeed else shape.width) * shape.parameters * load.reference / parts
    whole = c * shape.parameters - stored / parts if strategy.startswith("zero3") else 0
    generation = (cache(shape, load, c if deepspeed else None) + max(whole, 0)) * load.generates
    update = activations(shape, load)
    vllm = load.vllm_share * gpu
    fixed = weights + (gradients + (0 if offload else optimiser)) / split + reference
    awake = fixed + generation + vllm
    return Share(
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


def activations(shape: Shape, load: Load) -> float:
    """Return the bytes that the forward of a micro-batch keeps; the formula is ``budget``'s."""
    slab = load.compute * load.per_device * load.tokens * shape.hidden
    if load.checkpointing:
        return slab * (shape.layers + LAYER_BYTES)
    return slab * shape.layers * LAYER_BYTES


def cache(shape: Shape, load: Load, width: int | None = None) -> float:
    """Return the bytes of the key-value cache of all rollouts that one GPU generates together."""
    stored = max(2, round(shape.weights / shape.parameters))  # packed ones compute in 2 bytes
    one = 2 * (width or stored) * shape.layers * shape.kv * load.tokens
    return float(one * load.generated)


def plan_rows(shape: Shape, load: Load, gpu_memory: float) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the table, in GB; ``gpu_memory`` in GB."""
    names = ("weights", "gradients", "optimiser", "reference", "activations", "generation", "vllm")
    used = [name for name in names if name != "vllm" or load.vllm_share]
    header = ["strategy", *used, "peak", "host", "fits"]
    rows = []
    for strategy in STRATEGIES if load.gpus > 1 else STRATEGIES[:1]:
        share = share_of(strategy, shape, load, gpu_memory * GB)
        fits = "yes" if share.peak <= USABLE * gpu_memory * GB else "no"
        cells = [vars(share)[name] for name in (*used, "peak", "host")]
        rows.append([strategy, *(f"{cell / GB:.1f}" for cell in cells), fits])
    return header, rows


def vllm_lines(shape: Shape, load: Load, gpu_memory: float) -> list[str]:
    """Say what vLLM's share holds: its copy of the weights and so many sequences at once."""
    if not load.vllm_share:
        return []
    share = load.vllm_share * gpu_memory * GB
    weights = load.compute * shape.parameters
    token = 2 * load.compute * shape.layers * shape.kv
    free = share - weights
    held = f"vLLM's {share / GB:.1f} GB"
    if free < token * load.tokens:
        return [
            f"{held} do not hold its weights ({weights / GB:.1f} GB) and one sequence: raise "
            "training.vllm_gpu_memory_utilization"
        ]
    sequences = int(free // (token * load.tokens))
    return [
        f"{held}: weights {weights / GB:.1f}, cache {free / GB:.1f}, which is "
        f"{sequences} sequences of {load.tokens} tokens at once (of {load.generated})"
    ]


def token_lines(load: Load, rollouts: int, completion: int, passes: int) -> list[str]:
    """Say how many tokens a generation is at most; ``passes`` forwards score each."""
    prompt = load.tokens - completion
    return [
        f"generated: at most {rollouts} x {completion} = {rollouts * completion:,} tokens, "
        f"{load.generated * completion:,} on each GPU",
        f"scored and trained: at most {rollouts} x ({prompt} + {completion}) = "
        f"{rollouts * load.tokens:,} tokens, in {passes} forward{'s' if passes > 1 else ''} and "
        "one backward",
    ]
