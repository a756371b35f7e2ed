"""What a step is given: its learning rate, and its images. Pure functions of seed and step."""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray


def learning_rate_factor(
    step: int, *, num_steps: int, warmup_fraction: float, schedule: str = "cosine"
) -> float:
    """Share of the peak learning rate at a step: a straight rise, then a fall to 0.

    The first step has 1/warm-up steps of the peak, not 0; the rate is 0 after the last step.

    Args:
        step: From 0.
        num_steps: Steps of the whole training.
        warmup_fraction: Share of the steps in which the rate rises, 0..1.
        schedule: How it falls: "cosine" (half a wave) or "linear".

    Examples:
        >>> [learning_rate_factor(s, num_steps=8, warmup_fraction=0.25) for s in (0, 1, 2, 5)]
        [0.5, 1.0, 1.0, 0.5]
    """
    warmup_steps = math.ceil(warmup_fraction * num_steps)
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    passed = (step - warmup_steps) / max(1, num_steps - warmup_steps)
    return 1 - passed if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * passed))


def steps_per_epoch(num_images: int, batch_size: int) -> int:
    """Count the batches of an epoch: full ones only, but at least one.

    A small last batch would have fewer negatives than the rest; the images that it would hold
    differ from epoch to epoch.

    Examples:
        >>> steps_per_epoch(100, 32), steps_per_epoch(20, 32)
        (3, 1)
    """
    return max(1, num_images // batch_size)


def epoch_order(num_images: int, *, seed: int, epoch: int) -> NDArray[np.int64]:
    """Order of the images in an epoch: a permutation that depends on nothing but its arguments.

    Args:
        num_images: Images to order.
        seed: Seed of the training.
        epoch: From 1.
    """
    return np.random.default_rng([seed, epoch]).permutation(num_images).astype(np.int64)


def own_order(
    order: NDArray[np.int64], *, share: int, rank: int, num_processes: int
) -> NDArray[np.int64]:
    """The part of an epoch's order that one of several processes looks at.

    Each step takes `share` images for the first process, as many for the second, and so on, so that
    the images of a step are the same however many processes there are.

    Args:
        order: Whole steps; or a single one that has fewer images, of which the last processes get
            the rest, or nothing.
        share: Images of a step in one process.
        rank: Of the process, from 0.
        num_processes: How many there are.

    Examples:
        >>> own_order(np.arange(8), share=2, rank=1, num_processes=2)
        array([2, 3, 6, 7])
        >>> own_order(np.arange(3), share=2, rank=1, num_processes=2)
        array([2])
    """
    if len(order) < share * num_processes:
        return order[rank * share :][:share]
    return order.reshape(-1, num_processes, share)[:, rank].reshape(-1)


def validation_groups(
    num_images: int, *, group_size: int, seed: int
) -> Iterator[NDArray[np.int64]]:
    """Groups of equal size in which validation images are contrasted, the same in every epoch.

    A fixed shuffle, cut into groups; the last is filled up from its start, so that every group
    has as many negatives as a training batch. Fewer images than `group_size` are one group.

    Args:
        num_images: Images to group.
        group_size: Images of a group, that is, of a training batch.
        seed: Seed of the training.

    Examples:
        >>> [len(group) for group in validation_groups(5, group_size=2, seed=0)]
        [2, 2, 2]
    """
    order = epoch_order(num_images, seed=seed, epoch=0)
    size = min(group_size, num_images)
    for start in range(0, num_images, max(1, size)):
        yield np.take(order, range(start, start + size), mode="wrap")
