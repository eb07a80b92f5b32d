"""Train the expression prior on what `build` saw and write the model that ships with the add-on."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from torch import nn

from facecap_addon.fit.energies.expression_prior import network_input
from facecap_addon.fit.energies.features import align, network_points
from facecap_addon.fit.energies.landmark_terms import terms_for
from facecap_addon.landmarks.layout import MIRROR_478
from facecap_addon.rig.channels import ARKIT_CHANNELS

from .build import mirror_index

F32 = NDArray[np.float32]
BASIS = 24
WIDTH = 384
EPOCHS = 30


def load(paths: list[Path]) -> dict[str, NDArray]:
    """All sets joined, people numbered apart, every picture also mirrored."""
    out: dict[str, list[NDArray]] = {k: [] for k in ("points", "weights", "neutral", "person", "has")}
    first = 0
    for path in paths:
        data = np.load(path, allow_pickle=False)
        points = network_points(data["landmarks"], data["depth"])
        person = data["person"].astype(int) + first
        first = person.max() + 1
        has = np.broadcast_to(data["has"], data["weights"].shape)
        flipped = points[:, MIRROR_478] * [-1, 1, 1]
        out["points"] += [points, flipped]
        out["weights"] += [data["weights"], data["weights"][:, mirror_index()]]
        out["neutral"] += [data["neutral"] > 0.5] * 2
        out["person"] += [person, person + 100_000]
        out["has"] += [has, has[:, mirror_index()]]
    return {k: np.concatenate(v) for k, v in out.items()}


def make_template(points: NDArray, neutral: NDArray, weight: NDArray) -> NDArray:
    """Mean neutral face, frontal, in units of the outer-eye-corner distance."""
    template = points[neutral][0].copy()
    for _ in range(4):
        template = align(points[neutral], template, weight)[0].mean(0)
        across = template[263] - template[33]
        down = template[152] - template[10]
        x = across / np.linalg.norm(across)
        z = np.cross(x, down)
        z /= np.linalg.norm(z)
        frame = np.stack([x, np.cross(z, x), z])
        template = (template - template.mean(0)) @ frame.T / np.linalg.norm(across)
    return 0.5 * (template + template[MIRROR_478] * [-1, 1, 1])


def poses_to_act(data: dict[str, NDArray], random: np.random.Generator) -> NDArray[np.uint8]:
    """(256, 52) uint8, weights times 255, of expressions that characters rehearse."""
    rows = np.flatnonzero(~data["neutral"] & data["has"].all(1))
    return np.round(data["weights"][random.choice(rows, 256, replace=False)] * 255).astype(np.uint8)


def main() -> None:
    """`python -m tools.train_prior.train OUT.npz SET.npz...`; people whose number ends in 7 or 8 are held out.

    Where OUT is there already, its poses and its template stay: what was measured of characters with those poses goes
    on to hold, and the appearance network was trained on landmarks aligned to that template.
    """
    out, paths = Path(sys.argv[1]), [Path(p) for p in sys.argv[2:]]
    torch.manual_seed(0)
    random = np.random.default_rng(0)
    data = load(paths)
    terms = terms_for("mediapipe-478")
    weight = np.zeros(478)
    weight[terms.used[terms.rigid]] = 1.0
    template, poses = make_template(data["points"], data["neutral"], weight), None
    if out.is_file():
        with np.load(out, allow_pickle=False) as before:
            template, poses = before["template"].astype(np.float64), before["poses"]
    aligned, rotation = align(data["points"], template, weight)
    turn = Rotation.from_matrix(rotation).as_rotvec()
    subset = terms.used
    shape = aligned[:, subset].reshape(len(aligned), -1)

    people = np.unique(data["person"])
    neutral = {
        p: shape[(data["person"] == p) & data["neutral"]].mean(0)
        for p in people
        if ((data["person"] == p) & data["neutral"]).any()
    }
    keep = np.isin(data["person"], list(neutral))
    own = np.stack([neutral[p] for p in data["person"][keep]])
    shape, turn, weights, has = shape[keep], turn[keep], data["weights"][keep], data["has"][keep]
    is_test = np.isin(data["person"][keep] % 10, (7, 8))
    faces = np.stack(list(neutral.values()))
    mean = faces.mean(0)
    basis = np.linalg.svd(faces - mean, full_matrices=False)[2][:BASIS].T
    displacement = shape - own
    gram = weights[~is_test].T @ weights[~is_test]
    response = np.linalg.solve(gram + 2.0 * np.eye(52), weights[~is_test].T @ displacement[~is_test])
    print("linear response explains", 1 - (displacement - weights @ response).var() / displacement.var())

    identity = (own - mean) @ basis
    noise = (displacement - weights @ response)[~is_test].std(0)
    net = nn.Sequential(
        nn.Linear(shape.shape[1] + BASIS + 3, WIDTH),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(WIDTH, WIDTH),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Linear(WIDTH, 52),
    )
    optimiser = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-3)
    train, test = np.flatnonzero(~is_test), np.flatnonzero(is_test)
    batch = 512
    steps = EPOCHS * (len(train) // batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)

    def rows(index: NDArray, augment: bool) -> torch.Tensor:
        d, ident, t = displacement[index], identity[index], turn[index]
        if augment:  # the neutral face of real footage is itself an estimate; landmarks are noisy
            slip = np.clip(random.normal(0, 0.05, (len(index), 52)), -0.1, 0.15) * (
                random.random((len(index), 1)) < 0.7
            )
            own_error = slip @ response + random.normal(0, 0.15, d.shape) * noise
            d = d - own_error + random.normal(0, 0.25, d.shape) * noise
            ident = ident + own_error @ basis
            t = t + random.normal(0, 0.03, t.shape)
        return torch.from_numpy(network_input(d, ident, t))

    for epoch in range(EPOCHS):
        net.train()
        order, total = random.permutation(train), 0.0
        for i in range(len(train) // batch):
            index = order[i * batch : (i + 1) * batch]
            target, mask = torch.from_numpy(weights[index]), torch.from_numpy(has[index].astype(np.float32))
            loss = (((net(rows(index, True)) - target) ** 2) * mask).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += loss.item()
        if epoch % 10 == 9:
            print(f"epoch {epoch + 1}: train {total / (len(train) // batch):.5f}", flush=True)
    net.eval()
    with torch.no_grad():
        guess = np.clip(net(rows(test, True)).numpy(), 0, 1)
    error = guess - weights[test]
    covariance = (error.T @ error) / len(error)
    for k, channel in enumerate(ARKIT_CHANNELS):
        c = np.corrcoef(guess[:, k], weights[test][:, k])[0, 1] if weights[test][:, k].std() > 0 else float("nan")
        print(f"{channel:22s} r {c:.2f}  mae {np.abs(error[:, k]).mean():.3f}")
    linear = [m for m in net if isinstance(m, nn.Linear)]
    if poses is None:
        poses = poses_to_act(data, random)
    arrays = {}
    for i, layer in enumerate(linear):
        arrays[f"weight_{i}"] = layer.weight.detach().numpy().T.astype(np.float16)
        arrays[f"bias_{i}"] = layer.bias.detach().numpy().astype(np.float32)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        scheme="mediapipe-478",
        channels=np.array(ARKIT_CHANNELS),
        template=template.astype(np.float32),
        align_weight=weight.astype(np.float32),
        subset=subset.astype(np.int32),
        response=response.astype(np.float32),
        identity_mean=mean.astype(np.float32),
        identity_basis=basis.astype(np.float32),
        layer_count=len(linear),
        covariance=covariance.astype(np.float32),
        variance=weights[test].var(0).astype(np.float32),
        poses=poses,
        **arrays,
    )


if __name__ == "__main__":
    main()
