"""The same model, batch and AdamW in PyTorch eager, as a peer for bench/train.ts.

Reads one JSON line per request on stdin and answers with one on stdout, so that both sides take turns in one run:
    {"op": "open", "layers": 4, "width": 128, "heads": 4, "context": 64, "batch": 12, "vocabulary": 256, "threads": 1}
                                       -> {"description": …}   version, threads and kernels that are really in use
    {"op": "steps", "count": 5}        -> {"seconds": …, "processor_seconds": …, "loss": …}
    {"op": "peak"}                     -> {"flops": …}   rate of a large matrix product, floating-point operations per second
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
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.c_attn = nn.Linear(width, 3 * width, bias=False)
        self.c_proj = nn.Linear(width, width, bias=False)
        self.c_fc = nn.Linear(width, 4 * width, bias=False)
        self.c_out = nn.Linear(4 * width, width, bias=False)

    def forward(self, x, mask):
        B, T, C = x.shape
        q, k, v = self.c_attn(self.ln_1(x)).split(C, dim=2)
        q, k, v = (t.view(B, T, self.heads, C // self.heads).transpose(1, 2) for t in (q, k, v))
        scores = (q @ k.transpose(-2, -1)) * (1.0 / (C // self.heads) ** 0.5)
        scores = scores.masked_fill(mask, float("-inf"))
        y = (F.softmax(scores, dim=-1) @ v).transpose(1, 2).contiguous().view(B, T, C)
        x = x + self.c_proj(y)
        return x + self.c_out(F.relu(self.c_fc(self.ln_2(x))).square())


class Model(nn.Module):
    def __init__(self, layers, width, heads, context, vocabulary):
        super().__init__()
        self.wte = nn.Embedding(vocabulary, width)
        self.wpe = nn.Embedding(context, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(layers)])
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


def steps(model, optimizer, tokens, targets, count):
    start, processor = time.perf_counter(), time.process_time()
    for _ in range(count):
        loss = F.cross_entropy(model(tokens).view(-1, model.wte.num_embeddings), targets.reshape(-1))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return time.perf_counter() - start, time.process_time() - processor, loss.item()


def peak():
    a, b = torch.randn(1024, 1024), torch.randn(1024, 1024)
    a @ b
    start = time.perf_counter()
    for _ in range(10):
        a @ b
    return 10 * 2 * 1024**3 / (time.perf_counter() - start)


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


for line in sys.stdin:
    request = json.loads(line)
    if request["op"] == "open":
        torch.manual_seed(1)
        torch.set_num_threads(request["threads"])
        model = Model(request["layers"], request["width"], request["heads"], request["context"], request["vocabulary"])
        matrices = [p for p in model.parameters() if p.dim() > 1]
        vectors = [p for p in model.parameters() if p.dim() <= 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
        tokens = torch.randint(0, request["vocabulary"], (request["batch"], request["context"] + 1))
        answer = {"description": description(), "parameters": sum(p.numel() for p in model.parameters())}
    elif request["op"] == "steps":
        seconds, processor, loss = steps(model, optimizer, tokens[:, :-1], tokens[:, 1:], request["count"])
        answer = {"seconds": seconds, "processor_seconds": processor, "loss": loss}
    else:
        answer = {"flops": peak()}
    print(json.dumps(answer), flush=True)
