"""The embedded benchmark's task: splits of the digits, distortions, draws of architectures."""

import jax
import numpy as np
import pytest

from jaxzc.embedded import digits

SPACE = digits.space()


def test_splits_share_no_image_and_are_stratified() -> None:
    parts = digits.split()
    assert tuple(len(part.targets) for part in parts) == digits.SIZES
    assert len({image.tobytes() for part in parts for image in part.inputs}) == sum(digits.SIZES)
    whole = np.bincount(np.concatenate([part.targets for part in parts])) / sum(digits.SIZES)
    for part in parts:
        np.testing.assert_allclose(np.bincount(part.targets), whole * len(part.targets), atol=2)
    assert abs(parts[0].inputs.mean()) < 1e-5
    assert parts[0].inputs.std() == pytest.approx(1, abs=1e-5)


def test_distortion_shifts_lets_another_digit_through_and_adds_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    clean, key = digits.split()[0].inputs, jax.random.key(3)
    np.testing.assert_array_equal(digits.distort(key, clean), digits.distort(key, clean))
    distorted, noise, contrast = np.asarray(digits.distort(key, clean)), digits.NOISE, digits.CLUTTER
    monkeypatch.setattr(digits, "NOISE", 0.0)
    cluttered = np.asarray(digits.distort(key, clean))
    assert (distorted - cluttered).std() == pytest.approx(noise, rel=0.02)
    monkeypatch.setattr(digits, "CLUTTER", 0.0)
    shifted = np.asarray(digits.distort(key, clean))
    assert all(is_shifted(image, result, clean.min()) for image, result in zip(clean[:20], shifted[:20], strict=True))
    others = (cluttered - shifted) / contrast + clean.min()
    (turn,) = (r for r in range(1, len(clean)) if is_shifted(clean[-r], others[0], clean.min()))
    assert all(is_shifted(clean[k - turn], others[k], clean.min()) for k in range(20))


def is_shifted(image: np.ndarray, result: np.ndarray, black: float) -> bool:
    padded = np.pad(image, ((digits.SHIFT,) * 2, (digits.SHIFT,) * 2, (0, 0)), constant_values=black)
    size, reach = len(image), range(2 * digits.SHIFT + 1)
    return any(np.allclose(padded[i : i + size, j : j + size], result, atol=1e-5) for i in reach for j in reach)


def test_measured_images_are_mixed_with_others_and_not_with_their_own_copies() -> None:
    for name, clean, copies in zip(digits.SPLITS, digits.split(), digits.COPIES, strict=True):
        made = digits.training_data().splits[name]
        assert made.inputs.shape == (copies * len(clean.targets), 8, 8, 1)
        np.testing.assert_array_equal(made.targets, np.tile(clean.targets, copies))
        # An image on itself would stay as contrasted as it was, 1 + CLUTTER times; two different ones are not.
        own = np.mean([np.corrcoef(image.ravel(), clean.inputs[k].ravel())[0, 1] for k, image in enumerate(made.inputs[:100])])
        assert 0.4 < own < 0.8


def test_longer_draws_begin_with_shorter_ones() -> None:
    longer = digits.architectures(SPACE, 60)
    np.testing.assert_array_equal(longer[:20], digits.architectures(SPACE, 20))
    assert len(digits.architectures(SPACE, 10**6)) == 6466
