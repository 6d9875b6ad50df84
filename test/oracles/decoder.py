"""A small GPT-2 and a small Llama in plain PyTorch: the oracle of the decoder's logits, gradients and optimizer steps.

Run from the repository's root; it rewrites test/fixtures/decoder-gpt2.json and test/fixtures/decoder-llama.json:

    python3 test/oracles/decoder.py

Needs PyTorch only; made with 1.13.0 on Python 3.11. Everything
is computed in float64 on the CPU and written with 10 significant digits. The architectures are written out here rather
than imported, after Hugging Face transformers' modeling_gpt2 and modeling_llama, and parameters carry their names:
GPT-2 keeps projections as [in, out] (Conv1D) and ties its head to the token table; Llama keeps them as [out, in], has no
biases, an untied head, grouped key/value heads and rotary positions that pair channel i with channel i + D/2.

Each fixture: config, parameters, tokens and targets [B][T] (-100 is not scored), logits [B][T][V], loss (mean over the
scored positions, nats), gradients of that loss, and `adamw`: its options, the loss before each of three steps on the same
batch, and the parameters after them. Weight decay acts on parameters of two axes or more only.

Reading them: the gradient of GPT-2's key bias (the middle third of c_attn.bias) is zero in exact arithmetic, because
softmax ignores what is added to every score of a row. AdamW divides by the gradient's size, so in float32 rounding alone
moves these numbers; compare them after the gradients, not after the steps. Nothing else depends on them.
"""

import json
import math
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

LAYERS, WIDTH, VOCAB, BATCH, LENGTH, CONTEXT, EPS = 2, 16, 31, 2, 7, 8, 1e-5
IGNORED = -100


def heads(x, count):
    """[B, T, count·D] -> [B, count, T, D]"""
    batch, length, width = x.shape
    return x.view(batch, length, count, width // count).transpose(1, 2)


def attend(q, k, v):
    """Causal attention; q, k, v [B, H, T, D] -> [B, T, H·D]"""
    length, width = q.shape[2], q.shape[3]
    scores = q @ k.transpose(2, 3) / math.sqrt(width)
    future = torch.ones(length, length, dtype=torch.bool).triu(1)
    p = scores.masked_fill(future, -math.inf).softmax(-1)
    return (p @ v).transpose(1, 2).reshape(q.shape[0], length, -1)


# --- GPT-2 -----------------------------------------------------------------------------------------------------------

GPT2 = dict(
    model_type="gpt2",
    vocab_size=VOCAB,
    n_positions=CONTEXT,
    n_embd=WIDTH,
    n_layer=LAYERS,
    n_head=4,
    n_inner=4 * WIDTH,
    activation_function="gelu_new",
    layer_norm_epsilon=EPS,
    tie_word_embeddings=True,
)


def gpt2_shapes():
    shapes = {"transformer.wte.weight": (VOCAB, WIDTH), "transformer.wpe.weight": (CONTEXT, WIDTH)}
    for i in range(LAYERS):
        block = f"transformer.h.{i}."
        for name, size in [("ln_1", WIDTH), ("ln_2", WIDTH)]:
            shapes[block + name + ".weight"] = (size,)
            shapes[block + name + ".bias"] = (size,)
        for name, (a, b) in [
            ("attn.c_attn", (WIDTH, 3 * WIDTH)),
            ("attn.c_proj", (WIDTH, WIDTH)),
            ("mlp.c_fc", (WIDTH, 4 * WIDTH)),
            ("mlp.c_proj", (4 * WIDTH, WIDTH)),
        ]:
            shapes[block + name + ".weight"] = (a, b)
            shapes[block + name + ".bias"] = (b,)
    shapes["transformer.ln_f.weight"] = (WIDTH,)
    shapes["transformer.ln_f.bias"] = (WIDTH,)
    return shapes


def gpt2(p, tokens):
    def norm(x, name):
        return F.layer_norm(x, (WIDTH,), p[name + ".weight"], p[name + ".bias"], EPS)

    def conv1d(x, name):
        return x @ p[name + ".weight"] + p[name + ".bias"]

    def gelu_new(x):
        return 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))

    x = p["transformer.wte.weight"][tokens] + p["transformer.wpe.weight"][: tokens.shape[1]]
    for i in range(LAYERS):
        block = f"transformer.h.{i}"
        q, k, v = (heads(part, 4) for part in conv1d(norm(x, block + ".ln_1"), block + ".attn.c_attn").split(WIDTH, 2))
        x = x + conv1d(attend(q, k, v), block + ".attn.c_proj")
        x = x + conv1d(gelu_new(conv1d(norm(x, block + ".ln_2"), block + ".mlp.c_fc")), block + ".mlp.c_proj")
    return norm(x, "transformer.ln_f") @ p["transformer.wte.weight"].T


# --- Llama -----------------------------------------------------------------------------------------------------------

HEADS, KV_HEADS, INNER, THETA = 4, 2, 24, 10000.0

LLAMA = dict(
    model_type="llama",
    vocab_size=VOCAB,
    max_position_embeddings=CONTEXT,
    hidden_size=WIDTH,
    num_hidden_layers=LAYERS,
    num_attention_heads=HEADS,
    num_key_value_heads=KV_HEADS,
    intermediate_size=INNER,
    hidden_act="silu",
    rms_norm_eps=EPS,
    rope_theta=THETA,
    tie_word_embeddings=False,
)


def llama_shapes():
    kv = WIDTH // HEADS * KV_HEADS
    shapes = {"model.embed_tokens.weight": (VOCAB, WIDTH)}
    for i in range(LAYERS):
        block = f"model.layers.{i}."
        shapes[block + "input_layernorm.weight"] = (WIDTH,)
        shapes[block + "self_attn.q_proj.weight"] = (WIDTH, WIDTH)
        shapes[block + "self_attn.k_proj.weight"] = (kv, WIDTH)
        shapes[block + "self_attn.v_proj.weight"] = (kv, WIDTH)
        shapes[block + "self_attn.o_proj.weight"] = (WIDTH, WIDTH)
        shapes[block + "post_attention_layernorm.weight"] = (WIDTH,)
        shapes[block + "mlp.gate_proj.weight"] = (INNER, WIDTH)
        shapes[block + "mlp.up_proj.weight"] = (INNER, WIDTH)
        shapes[block + "mlp.down_proj.weight"] = (WIDTH, INNER)
    shapes["model.norm.weight"] = (WIDTH,)
    shapes["lm_head.weight"] = (VOCAB, WIDTH)
    return shapes


def rotate(x):
    """[B, H, T, D], position 0 first; transformers' `rotate_half` form."""
    width = x.shape[3]
    frequencies = THETA ** (-torch.arange(0, width, 2) / width)
    angle = torch.arange(x.shape[2])[:, None] * frequencies[None, :]
    angle = torch.cat([angle, angle], -1)
    half = torch.cat([-x[..., width // 2 :], x[..., : width // 2]], -1)
    return x * angle.cos() + half * angle.sin()


def llama(p, tokens):
    def norm(x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPS) * p[name + ".weight"]

    def linear(x, name):
        return x @ p[name + ".weight"].T

    x = p["model.embed_tokens.weight"][tokens]
    for i in range(LAYERS):
        block = f"model.layers.{i}"
        h = norm(x, block + ".input_layernorm")
        q = rotate(heads(linear(h, block + ".self_attn.q_proj"), HEADS))
        k = rotate(heads(linear(h, block + ".self_attn.k_proj"), KV_HEADS))
        v = heads(linear(h, block + ".self_attn.v_proj"), KV_HEADS)
        k, v = (part.repeat_interleave(HEADS // KV_HEADS, 1) for part in (k, v))
        x = x + linear(attend(q, k, v), block + ".self_attn.o_proj")
        h = norm(x, block + ".post_attention_layernorm")
        gate, up = linear(h, block + ".mlp.gate_proj"), linear(h, block + ".mlp.up_proj")
        x = x + linear(gate * gate.sigmoid() * up, block + ".mlp.down_proj")
    return norm(x, "model.norm") @ p["lm_head.weight"].T


# --- fixtures --------------------------------------------------------------------------------------------------------

ADAMW = dict(lr=1e-2, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=0.1)


def numbers(tensor):
    """Nested lists, 10 significant digits."""
    def shorten(value):
        return [shorten(v) for v in value] if isinstance(value, list) else float(f"{value:.10g}")

    return shorten(tensor.detach().tolist())


def fixture(config, shapes, forward, seed):
    generator = torch.Generator().manual_seed(seed)
    p = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        # Large enough that every term matters: gains around 1, biases and matrices around 0.
        gain = len(shape) == 1 and name.endswith("weight")
        # The models read float32 weights: round first, so that both sides start from the same numbers.
        p[name] = ((1 + 0.2 * noise) if gain else 0.3 * noise).float().double().requires_grad_()
    tokens = torch.randint(VOCAB, (BATCH, LENGTH), generator=generator)
    tokens[0, 3] = tokens[0, 1]  # a token that comes twice, so that its row's gradient is a sum
    targets = torch.randint(VOCAB, (BATCH, LENGTH), generator=generator)
    targets[0, 0] = targets[1, 4] = targets[1, 6] = IGNORED

    def loss():
        return F.cross_entropy(forward(p, tokens).view(-1, VOCAB), targets.view(-1), ignore_index=IGNORED)

    first = loss()
    gradients = dict(zip(p, torch.autograd.grad(first, list(p.values()))))
    result = dict(
        config=config,
        parameters={name: numbers(value) for name, value in p.items()},
        tokens=tokens.tolist(),
        targets=targets.tolist(),
        logits=numbers(forward(p, tokens)),
        loss=float(first),
        gradients={name: numbers(value) for name, value in gradients.items()},
    )
    optimizer = torch.optim.AdamW(
        [
            dict(params=[v for v in p.values() if v.dim() >= 2], weight_decay=ADAMW["weight_decay"]),
            dict(params=[v for v in p.values() if v.dim() < 2], weight_decay=0.0),
        ],
        lr=ADAMW["lr"],
        betas=(ADAMW["beta1"], ADAMW["beta2"]),
        eps=ADAMW["eps"],
    )
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        value = loss()
        value.backward()
        optimizer.step()
        losses.append(float(value))
    after = {name: numbers(value) for name, value in p.items()}
    result["adamw"] = dict(options=ADAMW, losses=losses, parameters=after)
    return result


if __name__ == "__main__":
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fixtures")
    for name, arguments in {
        "gpt2": (GPT2, gpt2_shapes(), gpt2, 1),
        "llama": (LLAMA, llama_shapes(), llama, 2),
    }.items():
        path = os.path.join(folder, f"decoder-{name}.json")
        with open(path, "w") as file:
            json.dump(fixture(*arguments), file, separators=(",", ":"))
            file.write("\n")
        print(f"wrote {os.path.normpath(path)}")
