import pickle
import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from shapes import CPU, QUICK, shapes_target
from torch import nn

from data.errors import InputError
from experiments import features, weights
from experiments.features import FeatureSet, extracted, feature_files, path_of
from experiments.machine import Machine
from experiments.networks import ARCHITECTURES, Network, ResNet, network
from experiments.pixels import HALF
from experiments.probe import PENALTIES, probe
from experiments.registry import target
from experiments.sources import SOURCES, Source, Surroundings, source
from experiments.targets import Target


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Target:
    return shapes_target(tmp_path_factory.mktemp("t"))


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    return Surroundings(
        place=tmp_path / "weights",
        machine=CPU,
        recipe=QUICK,
        size_px=16,
        target=lambda spec: target(spec, place=tmp_path, size_px=16),
    )


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that is quick to make, and to pretrain."""

    def made() -> Network:
        body = ResNet((1, 1), width=8, is_deep=False, is_small=True)
        return Network(body, body.n_features)

    monkeypatch.setitem(ARCHITECTURES, "resnet10-small", made)


def made_features(
    origin: Source, images: Target, *, seed: int = 0, size_px: int = 32
) -> FeatureSet:
    return extracted(origin, images, seed=seed, size_px=size_px, machine=CPU)


def test_random_features_differ_by_seed_and_image_and_repeat(shapes: Target) -> None:
    random = SOURCES["random"]
    one, again = (made_features(random, shapes, seed=1).train for _ in range(2))
    other = made_features(random, shapes, seed=2).train
    assert np.array_equal(one, again)
    assert not np.allclose(one, other)
    # Without calibrated batch norm all images would have one and the same feature.
    assert (one.std(axis=0) / (np.abs(one).mean(axis=0) + 1e-9)).mean() > 0.1


def test_imagenet_weights_tell_shapes_apart_and_know_their_own_classes(shapes: Target) -> None:
    made = made_features(SOURCES["ImageNet"], shapes, size_px=64)
    scores, _ = probe(made.train, made.train_labels, made.val, made.val_labels, made.test)
    assert ((scores[:, 1] > 0.5) == made.test_labels).mean() > 0.8
    assert made.source_probabilities is not None
    assert made.source_probabilities.shape == (80, 1000)
    assert np.allclose(made.source_probabilities.sum(axis=1), 1, atol=1e-4)


def test_features_are_made_once_and_kept(shapes: Target, tmp_path: Path) -> None:
    loads: list[int] = []

    def load(seed: int) -> Network:
        loads.append(seed)
        return network("resnet10-small", seed=seed)

    origin = replace(SOURCES["random"], load=load)
    options: dict[str, Any] = {"size_px": 16, "machine": CPU}
    place = tmp_path / "experiments" / "features"
    made = features.features(origin, shapes, seed=3, place=place, **options)
    kept = features.features(origin, shapes, seed=3, place=place, **options)
    assert loads == [3]
    assert np.array_equal(made.test, kept.test)
    assert made.about == kept.about
    assert kept.about["target_sha256"] == shapes.sha256
    assert kept.source_probabilities is None
    (path,) = feature_files(tmp_path)
    assert path == path_of(place, origin, shapes, seed=3, size_px=16)
    path.write_bytes(path.read_bytes()[:500])
    again = features.features(origin, shapes, seed=3, place=place, **options)
    assert loads == [3, 3]
    assert np.array_equal(again.test, made.test)
    path.write_bytes(b"")
    with pytest.raises(InputError, match="cannot be read as features"):
        features.read(path)


def test_features_that_are_no_numbers_are_told(shapes: Target) -> None:
    class Broken(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images.mean(dim=(2, 3)) / 0 * 0

    broken = replace(SOURCES["ImageNet"], load=lambda seed: Network(Broken(), 3))
    with pytest.raises(InputError, match="80 of 80 train images of shapes have features"):
        made_features(broken, shapes)
    bad = np.full((4, 2), np.nan, np.float32)
    with pytest.raises(InputError, match="4 of 4 images"):
        probe(bad, np.array([0, 1, 0, 1]), bad, np.array([0, 1, 0, 1]), bad)


def test_the_penalty_is_chosen_on_validation() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    made = [(labels[:, None] + rng.normal(0, 1, (60, 5))).astype(np.float32) for _ in range(3)]
    scores, penalty = probe(made[0], labels, made[1], labels, made[2])
    assert scores.shape == (60, 2)
    assert np.allclose(scores.sum(axis=1), 1)
    assert penalty in PENALTIES
    both = np.stack([labels, 1 - labels], axis=1)
    several, _ = probe(made[0], both, made[1], both, made[2])
    assert ((several[:, 0] > 0.5) == labels).mean() > 0.8
    assert np.allclose(several.sum(axis=1), 1, atol=1e-3)
    both[:, 1] = 0
    with pytest.raises(InputError, match="label 1, counted from 0, has a single class"):
        probe(made[0], both, made[1], both, made[2])


def test_a_source_that_is_not_known_is_told(around: Surroundings) -> None:
    for name in ("Mars", "mars:resnet50", "timm:"):
        with pytest.raises(InputError, match="is not one of random, ImageNet, nor"):
            source(name, around)
    with pytest.raises(InputError, match="network 'vgg' is not one of"):
        source("random:vgg", around)


def test_a_library_that_is_missing_or_does_not_load_is_one_sentence(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(InputError, match="pip install timm"):
        source("hf:owner/name", around)
    # As torchvision fails beside a torch that it was not built for.
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text(
        "raise RuntimeError('operator torchvision::nms does not exist')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InputError, match=r"does not load beside torch .*nms does not exist"):
        source("torchvision:resnet18", around)


class StandIn(nn.Module):
    """A network as timm makes them."""

    def __init__(self) -> None:
        super().__init__()
        self.num_features = 4
        self.stem = nn.Conv2d(3, 4, 3)
        self.fc: nn.Module = nn.Linear(4, 7)
        self.pretrained_cfg = {"mean": (0.1, 0.2, 0.3), "std": (1.0, 1.0, 1.0)}

    def get_classifier(self) -> nn.Module:
        return self.fc

    def reset_classifier(self, n: int) -> None:
        self.fc = nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.fc(self.stem(images).mean(dim=(2, 3)))
        return made


def test_timms_networks_come_with_their_head_and_normalisation(
    around: Surroundings, monkeypatch: pytest.MonkeyPatch, shapes: Target
) -> None:
    asked: list[tuple[str, bool]] = []

    def create_model(name: str, pretrained: bool) -> nn.Module:
        if name == "none":
            raise RuntimeError("Unknown model (none)")
        asked.append((name, pretrained))
        torch.manual_seed(0)
        return StandIn()

    timm = types.ModuleType("timm")
    configured = types.SimpleNamespace(mean=(0.1, 0.2, 0.3), std=(1, 1, 1))
    timm.__dict__.update(
        create_model=create_model,
        get_pretrained_cfg=lambda name: configured,
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    found = source("RadImageNet=timm:toy", around)
    assert (found.id, found.model) == ("RadImageNet", "timm:toy")
    assert found.normalisation.mean == (0.1, 0.2, 0.3)
    made = made_features(found, shapes)
    assert made.train.shape == (80, 4)
    assert made.source_probabilities is not None
    assert made.source_probabilities.shape == (80, 7)
    assert asked[0] == ("toy", True)
    assert source("hf:owner/name", around).id == "owner/name"
    with pytest.raises(InputError, match="timm cannot make 'none'"):
        source("timm:none", around).load(0)


# Weights from files


def resnet18_state() -> dict[str, torch.Tensor]:
    return network("resnet18", seed=5).body.state_dict()


@pytest.mark.parametrize(
    "rename", [lambda n: n, lambda n: f"module.{n}", lambda n: f"backbone.{n}"]
)
@pytest.mark.parametrize("ending", ["pt", "safetensors"])
def test_weights_of_a_file_are_loaded(
    tmp_path: Path, around: Surroundings, rename: Any, ending: str
) -> None:
    path = tmp_path / f"w.{ending}"
    state = {rename(name): value for name, value in resnet18_state().items()}
    state |= {rename("fc.weight"): torch.ones(9, 512), rename("fc.bias"): torch.zeros(9)}
    if ending == "pt":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        save_file(state, path)
    found = source(f"RadImageNet=file:resnet18:{path}", around)
    assert (found.id, found.kind) == ("RadImageNet", "fixed")
    made = found.load(0)
    assert torch.equal(made.body.state_dict()["conv1.weight"], resnet18_state()["conv1.weight"])
    assert made.source_head is not None
    assert made.source_head.out_features == 9
    assert found.checksum() == weights.sha256(path)


def test_radimagenets_numbered_layers_are_understood(tmp_path: Path) -> None:
    numbers = {name: number for number, name in weights._CHILDREN.items()}
    numbered = {
        f"backbone.{numbers[name.split('.')[0]]}.{name.split('.', 1)[1]}": value
        for name, value in resnet18_state().items()
    }
    torch.save(numbered, tmp_path / "w.pt")
    made = weights.load(
        network("resnet18"), weights.read(tmp_path / "w.pt"), path=tmp_path / "w.pt"
    )
    again = made.body.state_dict()
    assert all(torch.equal(again[name], value) for name, value in resnet18_state().items())


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    state = resnet18_state()
    with pytest.raises(InputError, match=r"lacks layer1.2.*and \d+ more"):
        weights.load(network("resnet34"), state, path=path)
    state["conv1.weight"] = torch.zeros(64, 1, 7, 7)
    with pytest.raises(InputError, match=r"conv1.weight is \(64, 1, 7, 7\), expected"):
        weights.load(network("resnet18"), state, path=path)
    state["conv1.weight"] = torch.full((64, 3, 7, 7), torch.nan)
    with pytest.raises(InputError, match=r"conv1\.weight holds values that are no numbers"):
        weights.load(network("resnet18"), state, path=path)


class Malicious:
    def __reduce__(self) -> Any:
        return Path.touch, (Path("malicious-was-here"),)


def test_a_malicious_pickle_is_refused_and_not_run(
    tmp_path: Path, around: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"conv1.weight": torch.zeros(1), "extra": Malicious()}, tmp_path / "evil.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Malicious()))
    for name in ("evil.pt", "plain.pt"):
        with pytest.raises(InputError, match="refused: it holds more than tensors") as caught:
            source(f"file:resnet18:{tmp_path / name}", around)
        assert caught.value.path == tmp_path / name
    assert not (tmp_path / "malicious-was-here").exists()


def test_files_that_hold_no_weights_are_told(tmp_path: Path, around: Surroundings) -> None:
    (tmp_path / "half.pt").write_bytes(b"PK\x03\x04 half")
    (tmp_path / "half.safetensors").write_bytes(b"\x10\x00")
    torch.save([torch.zeros(1)], tmp_path / "list.pt")
    torch.save({"epoch": 1}, tmp_path / "none.pt")
    for name, said in (
        ("half.pt", "cannot be read as weights"),
        ("half.safetensors", "cannot be read as safetensors"),
        ("list.pt", "holds a list"),
        ("none.pt", "holds no named tensor"),
        ("gone.pt", "no such file"),
    ):
        with pytest.raises(InputError, match=said):
            source(f"file:resnet18:{tmp_path / name}", around)
    with pytest.raises(InputError, match="expected file:ARCHITECTURE:PATH"):
        source(f"file:{tmp_path / 'half.pt'}", around)


# Pretraining here


@pytest.mark.parametrize("kind", ["pretrain", "simsiam", "mae"])
def test_pretraining_here_changes_the_weights_and_is_done_once(
    tmp_path: Path, around: Surroundings, kind: str
) -> None:
    shapes_target(tmp_path)
    found = source(f"Toy={kind}:{tmp_path / 'shapes.npz'}", around)
    assert (found.id, found.kind, found.is_made(1)) == ("Toy", "pretrained here", False)
    one = found.load(1)
    assert found.is_made(1)
    (path,) = (tmp_path / "weights").iterdir()
    written_at = path.stat().st_mtime_ns
    again = found.load(1)
    assert path.stat().st_mtime_ns == written_at
    untouched, state = found.untrained(1).body.state_dict(), one.body.state_dict()
    assert torch.equal(state["conv1.weight"], again.body.state_dict()["conv1.weight"])
    assert not torch.equal(state["conv1.weight"], untouched["conv1.weight"])
    assert (one.source_head is None) == (kind != "pretrain")
    path.write_bytes(b"half")
    healed = found.load(1).body.state_dict()
    assert all(torch.equal(healed[name], value) for name, value in state.items())


def test_a_pretraining_is_another_with_other_images_or_another_recipe(
    tmp_path: Path, around: Surroundings
) -> None:
    shapes_target(tmp_path)
    (tmp_path / "b").mkdir()
    shapes_target(tmp_path / "b", seed=1)
    plain = source(f"pretrain:{tmp_path / 'shapes.npz'}", around)
    others = [
        source(f"pretrain:{tmp_path / 'b' / 'shapes.npz'}", around),
        source(f"simsiam:{tmp_path / 'shapes.npz'}", around),
        source(f"mae:{tmp_path / 'shapes.npz'}", around),
        source(f"pretrain:resnet18-small:{tmp_path / 'shapes.npz'}", around),
        source(
            f"pretrain:{tmp_path / 'shapes.npz'}",
            replace(around, recipe=replace(QUICK, epochs=9)),
        ),
    ]
    assert len({found.checksum() for found in (plain, *others)}) == 6


@pytest.mark.parametrize("name", sorted(ARCHITECTURES))
def test_every_network_gives_its_features(name: str) -> None:
    made = network(name)
    made.eval()
    with torch.inference_mode():
        assert made(torch.zeros(1, 3, 32, 32)).shape == (1, made.n_features)
    assert Machine().place() == torch.device("cpu")
    assert HALF.mean == (0.5, 0.5, 0.5)
