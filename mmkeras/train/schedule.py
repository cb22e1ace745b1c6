"""An optimizer with a schedule that suits most models of this package."""

from __future__ import annotations

from typing import Any

import keras

from mmkeras.checks import check_positive, check_share, check_whole


def adamw(
    batches: Any, *, epochs: int, peak: float = 1e-3, warmup: float = 0.05, weight_decay: float = 0.004, **options: Any
) -> keras.optimizers.AdamW:
    """AdamW whose learning rate rises from 0 to `peak`, and then falls to 0 along a cosine, within `epochs`.

        model.compile(mm.train.adamw(batches, epochs=10), **mm.heads.compile_for(heads))
        model.fit(batches, epochs=10, ...)

    Prefer it to "adam" where you know for how many epochs you train: the last epochs, of small steps, bring most of the
    gain, so let `fit` reach them (`patience=None`, or `patience` near `epochs`).

    Args:
        batches: what `fit` is given; or how many steps an epoch has.
        epochs: those of `fit`.
        peak: the largest learning rate.
        warmup: share of all steps in which it rises, in [0, 1).
        weight_decay: as in `keras.optimizers.AdamW`.
        **options: others of `keras.optimizers.AdamW`, such as `clipnorm`.

    Returns:
        `keras.optimizers.AdamW` with a `CosineDecay`; a saved model keeps both.

    Raises:
        ValueError: how many batches there are is not known, or a number is out of its range.

    Example:

    >>> from mmkeras import train
    >>> rate = train.adamw(100, epochs=10, peak=0.002, warmup=0.1)._learning_rate
    >>> [round(float(rate(step)), 5) for step in (0, 50, 100, 550, 1000)]
    [0.0, 0.001, 0.002, 0.001, 0.0]

    Source: Loshchilov and Hutter, arXiv 1711.05101 (AdamW) and 1608.03983, equation 5 (one cosine, no restarts); Goyal
    et al., arXiv 1706.02677, section 2.2 (warm-up).
    """
    check_whole("mm.train.adamw", epochs=epochs)
    check_positive("mm.train.adamw", peak=peak)
    check_share("mm.train.adamw", warmup=warmup)
    steps = _steps(batches) * epochs
    rising = round(warmup * steps)
    if not rising:
        schedule = keras.optimizers.schedules.CosineDecay(peak, steps)
    else:
        schedule = keras.optimizers.schedules.CosineDecay(0.0, steps - rising, warmup_target=peak, warmup_steps=rising)
    return keras.optimizers.AdamW(schedule, weight_decay=weight_decay, **options)


def _steps(batches):
    known = int(batches.cardinality()) if hasattr(batches, "cardinality") else batches
    if not isinstance(known, int) or isinstance(known, bool) or known < 1:
        raise ValueError(
            "adamw needs to know how many steps an epoch has. Received: "
            f"{f'batches of unknown length ({known})' if known is not batches else repr(batches)}. Give the number of "
            "steps instead of the batches."
        )
    return known
