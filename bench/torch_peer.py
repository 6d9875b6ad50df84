"""The same model, batch and AdamW in PyTorch, as a peer for bench/train.ts and bench/gpu.ts.

Reads one JSON line per request on stdin and answers with one on stdout, so that both sides take turns in one run:
    {"op": "open", "layers": 4, "width": 128, "heads": 4, "context": 64, "batch": 12, "vocabulary": 256, "threads": 1}
                                       -> {"description": …}   version, threads and kernels that are really in use
    {"op": "steps", "count": 5}        -> {"seconds": …, "processor_seconds": …, "loss": …}
    {"op": "peak", "side": 1024}       -> {"flops": …}   rate of a large matrix product, floating-point operations per second
What fails is answered with {"error": …}. "open" also takes "device" (cpu or cuda), "mode" (eager or compile) and "precision" (float32,
tf32, or bfloat16: autocast, with parameters and optimizer in float32). On a card attention and AdamW are PyTorch's fused ones, as
nanoGPT has them.
bench/Torch.ts starts it and pins the threads of OpenMP, OpenBLAS and MKL in its environment. Needs a Python with torch;
with threadpoolctl it also names the kernel that OpenBLAS chose.
"""
import json
import os
import re
import sys
import time

import torch
import torch.nn as nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, width, heads, fused):
        super().__init__()
        self.heads, self.fused = heads, fused
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)
        self.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.c_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, mask):
        B, T, C = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (1.0 / (C // self.heads) ** 0.5)
            scores = scores.masked_fill(mask, float("-inf"))
            y = F.softmax(scores, dim=-1) @ v
        y = y.transpose(1, 2).contiguous().view(B, T, C)
        x = x + self.c_proj(y)
        return x + self.c_out(F.relu(self.c_fc(self.ln_2(x))).square())


class Model(nn.Module):
    def __init__(self, layers, width, heads, context, vocabulary, fused=False):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads, fused) for _ in range(layers)])
        self.ln_f = nn.LayerNorm(width)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        self.register_buffer("mask", torch.triu(torch.ones(context, context, dtype=torch.bool), 1))

    def forward(self, tokens):
        x = self.wte(tokens) + self.wpe.weight[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x, self.mask)
        return self.ln_f(x) @ self.wte.weight.t()


def synchronize(device):
    """Waits until a card has done what it was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def steps(model, optimizer, tokens, targets, count, device="cpu", precision="float32"):
    parameters = list(model.parameters())
    synchronize(device)
    start, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        with torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16"):
            logits = model(tokens)
            loss = F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
    synchronize(device)
    return time.perf_counter() - start, time.process_time() - processor, loss.item()


def peak(side=1024, device="cpu", precision="float32"):
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    for _ in range(3 if device == "cuda" else 1):
        a @ b
    synchronize(device)
    start = time.perf_counter()
    for _ in range(10):
        a @ b
    synchronize(device)
    return 10 * 2 * side**3 / (time.perf_counter() - start)


def description():
    """One line: versions, thread counts and kernels, as the libraries report them."""
    config, parallel = torch.__config__.show(), torch.__config__.parallel_info()
    parts = [f"torch {torch.__version__}", f"torch threads {torch.get_num_threads()}"]
    if "BLAS_INFO=" in config:
        parts.append("BLAS " + re.search(r"BLAS_INFO=(\w+)", config).group(1))
    if torch.get_num_threads() > 1:
        parts.append(f"waiting {os.environ.get('OMP_WAIT_POLICY', 'by default')}")
    found = re.search(r"mkl_get_max_threads\(\) : (\d+)", parallel)
    if found:
        parts.append(f"MKL threads {found.group(1)}")
    found = re.search(r"CPU capability usage: (\S+)", config)
    if found:
        parts.append(found.group(1))
    try:
        from threadpoolctl import threadpool_info

        for pool in threadpool_info():
            # numpy brings an OpenBLAS that torch does not use.
            if pool["user_api"] == "blas" and "numpy" not in pool["filepath"]:
                parts.append(f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')} threads {pool['num_threads']}")
    except ImportError:
        parts.append(f"OPENBLAS_NUM_THREADS {os.environ.get('OPENBLAS_NUM_THREADS', 'unset')}")
    return ", ".join(parts)


def open_model(request):
    """The model of a request, its optimizer and its batch; and what is in use, in one line."""
    device = request.get("device", "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        raise RuntimeError("this PyTorch finds no card (torch.cuda.is_available() is False)")
    torch.manual_seed(1)
    torch.set_num_threads(request["threads"])
    torch.set_float32_matmul_precision("high" if request.get("precision") == "tf32" else "highest")
    sizes = (request[name] for name in ("layers", "width", "heads", "context", "vocabulary"))
    model = Model(*sizes, fused=device == "cuda").to(device)
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    fused = {"fused": True} if device == "cuda" else {}
    optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8, **fused)
    batch = torch.randint(0, request["vocabulary"], (request["batch"], request["context"] + 1)).to(device)
    run = torch.compile(model) if request.get("mode") == "compile" else model
    card = f", {torch.cuda.get_device_name()}, CUDA {torch.version.cuda}" if device == "cuda" else ""
    answer = {"description": description() + card, "parameters": sum(p.numel() for p in model.parameters())}
    return run, optimizer, batch, (device, request.get("precision", "float32")), answer


def answer_to(request, opened):
    if request["op"] == "steps":
        run, optimizer, batch, setting, _ = opened
        seconds, processor, loss = steps(run, optimizer, batch[:, :-1], batch[:, 1:], request["count"], *setting)
        return {"seconds": seconds, "processor_seconds": processor, "loss": loss}
    return {"flops": peak(request.get("side", 1024), *opened[3])}


opened = None
for line in sys.stdin:
    request = json.loads(line)
    try:
        if request["op"] == "open":
            # The memory of the last model is free before the next one takes its own.
            opened = None
            opened = open_model(request)
            answer = opened[4]
        else:
            answer = answer_to(request, opened)
    except Exception as error:
        text = str(error).strip().splitlines()
        answer = {"error": f"{type(error).__name__}: {text[0] if text else ''}"[:300]}
    print(json.dumps(answer), flush=True)
