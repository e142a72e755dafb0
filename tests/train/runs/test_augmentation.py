import pytest
import torch

from kipuka.errors import KipukaError
from kipuka.train.runs.augmentation import Augmentation, shifted, stretched
from kipuka.train.runs.config import AugmentationSettings


def spikes(count=6, rate=0.2):
    generator = torch.Generator().manual_seed(1)
    return torch.rand(count, 5, 30, generator=generator) < rate


def generator():
    return torch.Generator().manual_seed(7)


def test_shift_moves_each_sample_by_its_own_steps():
    x = spikes(3)
    moved = shifted(x, torch.tensor([0, 4, -3]), axis=2)
    assert torch.equal(moved[0], x[0])
    assert torch.equal(moved[1, :, 4:], x[1, :, :-4])
    assert torch.equal(moved[2, :, :-3], x[2, :, 3:])
    assert not moved[1, :, :4].any() and not moved[2, :, -3:].any()
    across = shifted(x, torch.tensor([1, 0, -2]), axis=1)
    assert torch.equal(across[0, 1:], x[0, :-1])
    assert not across[2, -2:].any()


def test_a_stretched_sample_plays_at_its_own_tempo():
    x = spikes(3)
    played = stretched(x, torch.tensor([1.0, 2.0, 0.5]))
    assert torch.equal(played[0], x[0])
    assert torch.equal(played[1, :, :15], x[1, :, ::2])
    assert not played[1, :, 15:].any()
    # Half steps are rounded to even ones: 0, 0.5, 1, 1.5, 2 take 0, 0, 1, 2, 2.
    assert torch.equal(played[2, :, :5], x[2][:, [0, 0, 1, 2, 2]])


def test_tempo_stays_within_its_limit():
    x = torch.zeros(200, 1, 100, dtype=torch.bool)
    x[:, :, 50] = True
    settings = AugmentationSettings(time_stretch=0.2, input_drop=0.0)
    drawn = Augmentation(settings, x).draw(torch.arange(200), generator())
    when = drawn.argmax(-1)[drawn.any(-1)]
    assert 41 <= when.min() < 45 and 56 < when.max() <= 63


def test_without_augmentation_samples_stay_as_they_are():
    x = spikes()
    plain = Augmentation(AugmentationSettings(input_drop=0.0), x)
    assert torch.equal(plain.draw(torch.tensor([4, 1]), generator()), x[[4, 1]].float())


def test_the_generator_decides_everything():
    settings = AugmentationSettings(
        time_stretch=0.1, time_shift_steps=3, channel_shift=1, input_drop=0.2
    )
    augmentation = Augmentation(settings, spikes())
    first, again = (augmentation.draw(torch.arange(6), generator()) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, spikes().float())


@pytest.mark.parametrize(("name", "length"), [("channel_shift", 5), ("time_shift_steps", 30)])
def test_a_shift_leaves_something_of_a_sample(name, length, check_error):
    Augmentation(AugmentationSettings(**{name: length - 1}), spikes())
    with pytest.raises(KipukaError) as caught:
        Augmentation(AugmentationSettings(**{name: length}), spikes())
    check_error(
        caught.value, what="moves", where=name, limit=f"than the {length}", value=str(length),
        remedy="smaller",
    )  # fmt: skip
