"""Fits the nets of the tagger with PyTorch, for train.ts, which prepares the words and writes the graph.

Takes a folder with examples.json (train and score: lists of sentences with ids, affixes, shapes and tags by word), vectors.int8
and settings.json; leaves weights.json and, for each net, its weights as float32 in the order that weights.json names, and
predictions.json: by sentence of score, the tag of each word. Needs python3-torch of Debian (1.13), and nothing else.
"""
import json
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

folder = Path(sys.argv[1])
settings = json.loads((folder / "settings.json").read_text())
examples = json.loads((folder / "examples.json").read_text())
width, tags, shapes, affixes = settings["width"], settings["tags"], settings["shapes"], settings["affixes"]
rows = np.fromfile(folder / "vectors.int8", dtype=np.int8).reshape(-1, width).astype("float32")
# Ids 0 and 1, padding and unknown, are zero.
vectors = torch.tensor(np.vstack([np.zeros((2, width), "float32"), rows])) * settings["vectorScale"]
torch.use_deterministic_algorithms(True)


class Net(nn.Module):
    """Two convolutions over what is known of each word; the second adds to the first."""

    def __init__(self):
        super().__init__()
        hidden = settings["hidden"]
        self.affix = nn.Embedding(settings["buckets"] + 1, settings["affixWidth"], padding_idx=0)
        nn.init.normal_(self.affix.weight, std=0.1)
        with torch.no_grad():
            self.affix.weight[0] = 0
        self.near = nn.Conv1d(width + settings["affixWidth"] + shapes, hidden, 3, padding=1)
        self.far = nn.Conv1d(hidden, hidden, 5, padding=2)
        self.out = nn.Linear(hidden, tags)

    def forward(self, ids, affix, shape):
        word = F.embedding(ids, vectors)
        if self.training:
            word = word * (torch.rand(ids.shape) > settings["wordDropout"]).float().unsqueeze(2)
        known = torch.cat([word, self.affix(affix).sum(2), shape], 2).transpose(1, 2)
        drop = settings["dropout"]
        # Padding is zero before each convolution, as what lies beyond the ends is.
        mask = (ids != 0).float().unsqueeze(1)
        first = F.relu(self.near(F.dropout(known, drop / 2, self.training))) * mask
        first = F.dropout(first, drop, self.training)
        both = first + F.relu(self.far(first))
        return self.out(F.dropout(both, drop, self.training).transpose(1, 2))


def batch_of(sentences):
    longest = max(len(one["ids"]) for one in sentences)
    ids = torch.zeros(len(sentences), longest, dtype=torch.long)
    affix = torch.zeros(len(sentences), longest, affixes, dtype=torch.long)
    shape = torch.zeros(len(sentences), longest, shapes)
    wanted = torch.full((len(sentences), longest), -100)
    for i, one in enumerate(sentences):
        count = len(one["ids"])
        ids[i, :count] = torch.tensor(one["ids"])
        affix[i, :count] = torch.tensor(one["affixes"]).view(count, affixes)
        shape[i, :count] = torch.tensor(one["shapes"]).view(count, shapes).float()
        wanted[i, :count] = torch.tensor(one["tags"])
    return ids, affix, shape, wanted




def fitted(seed):
    torch.manual_seed(seed)
    chance = np.random.RandomState(seed)
    net = Net()
    optimizer = torch.optim.Adam(net.parameters(), lr=settings["rate"])
    train = examples["train"]
    size = settings["batch"]
    steps = settings["epochs"] * (len(train) // size + 1)
    step = 0
    for _ in range(settings["epochs"]):
        # Sentences of about one length together: little padding.
        order = sorted(chance.permutation(len(train)), key=lambda i: len(train[i]["ids"]) // 8 + 2 * chance.rand())
        batches = [order[at : at + size] for at in range(0, len(order), size)]
        chance.shuffle(batches)
        for places in batches:
            optimizer.param_groups[0]["lr"] = settings["rate"] * (1 - step / steps)
            step += 1
            ids, affix, shape, wanted = batch_of([train[i] for i in places])
            loss = F.cross_entropy(net(ids, affix, shape).transpose(1, 2), wanted)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval()


nets = [fitted(seed) for seed in settings["seeds"]]
names = list(nets[0].state_dict())
for i, net in enumerate(nets):
    parts = [net.state_dict()[name].numpy().astype("<f4").ravel() for name in names]
    np.concatenate(parts).tofile(folder / f"net{i}.f32")
(folder / "weights.json").write_text(
    json.dumps([{"name": name, "shape": list(nets[0].state_dict()[name].shape)} for name in names])
)
with torch.no_grad():
    told = [
        torch.stack([net(*batch_of([one])[:3]).softmax(2) for net in nets]).mean(0)[0].argmax(1).tolist()
        for one in examples["score"]
    ]
(folder / "predictions.json").write_text(json.dumps(told))
