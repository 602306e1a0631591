"""What several studies say of a source together: orders, differences, and how far they disagree.

A *setting* is one study, target, model and strategy: only values of one setting are compared.
Targets are the unit: settings of one target are averaged first, and intervals come from drawing
targets again. Own runs and published results are given one after the other, never together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from data.errors import InputError

REFERENCE = "ImageNet"
RESAMPLES = 5000
_SETTING = ["study", "target", "model", "strategy"]
_FEWEST = 3  # sources in a setting whose order says something
_Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomEffects:
    """A mean effect over studies that need not share one.

    Args:
        effect: the mean of the effects' distribution.
        low: 95% by the normal distribution.
        high: its other end.
        tau2: variance of the effects between studies.
        i2: share of the variation that is between studies, in [0, 1].
        q: Cochran's.
        p: that all effects are one, by q.
        n: studies.
    """

    effect: float
    low: float
    high: float
    tau2: float
    i2: float
    q: float
    p: float
    n: int


def random_effects(effects: Sequence[float], variances: Sequence[float]) -> RandomEffects:
    """The random-effects mean by the moments of DerSimonian and Laird.

    Args:
        effects: one a study.
        variances: of each, above 0.

    Raises:
        InputError: fewer than two, lengths differ, or a variance is not above 0.

    Source: DerSimonian and Laird 1986, doi:10.1016/0197-2456(86)90046-2; I² by Higgins and
        Thompson 2002, doi:10.1002/sim.1186.
    """
    from scipy.stats import chi2

    y, v = np.asarray(effects, np.float64), np.asarray(variances, np.float64)
    if len(y) != len(v) or len(y) < 2:
        raise InputError(f"{len(y)} effects with {len(v)} variances; two of each are needed")
    if not (np.isfinite(y).all() and np.isfinite(v).all() and (v > 0).all()):
        raise InputError("effects must be finite, variances finite and above 0")
    w = 1 / v
    q = float(w @ (y - w @ y / w.sum()) ** 2)
    freedom = len(y) - 1
    tau2 = max(0.0, (q - freedom) / float(w.sum() - w @ w / w.sum()))
    weight = 1 / (v + tau2)
    effect = float(weight @ y / weight.sum())
    half = 1.959964 / float(np.sqrt(weight.sum()))
    return RandomEffects(
        effect=effect,
        low=effect - half,
        high=effect + half,
        tau2=tau2,
        i2=max(0.0, (q - freedom) / q) if q > 0 else 0.0,
        q=q,
        p=float(chi2.sf(q, freedom)),
        n=len(y),
    )


def differences(measured: pd.DataFrame, *, reference: str = REFERENCE) -> pd.DataFrame:
    """Each source's value less the reference's in the same setting.

    A scratch network is the source 'random' of its setting whatever its strategy says: it is
    compared with the fine-tuned reference of the same study, target and model.

    Args:
        measured: columns as `experiments.published.MEASURED`; a value relative to the reference is
            a difference already, and one of the reference is such with its sign turned.
        reference: what is subtracted.

    Returns: columns study, target, modality, model, strategy, source, difference, variance (the
        sum of both; none where one is unknown). Settings without the reference are left out.
    """
    told = measured[measured["relative_to"] == reference].rename(columns={"value": "difference"})
    turned = measured[(measured["source"] == reference) & measured["relative_to"].notna()]
    turned = turned.assign(source=turned["relative_to"], difference=-turned["value"])
    plain = measured[measured["relative_to"].isna()]
    plain = plain.assign(strategy=plain["strategy"].replace("from scratch", "full fine-tune"))
    base = plain.loc[plain["source"] == reference, [*_SETTING, "value", "variance"]]
    made = plain[plain["source"] != reference].merge(base, on=_SETTING, suffixes=("", "_base"))
    made["difference"] = made["value"] - made["value_base"]
    made["variance"] = made["variance"] + made["variance_base"]
    columns = ["study", "target", "modality", "model", "strategy", "source"]
    parts = [part for part in (made, told, turned) if not part.empty]
    both = pd.concat(parts) if parts else made
    return both.loc[:, [*columns, "difference", "variance"]].reset_index(drop=True)


def against_reference(
    measured: pd.DataFrame, *, rng: np.random.Generator, reference: str = REFERENCE
) -> pd.DataFrame:
    """How each source does beside the reference, over targets.

    Returns: columns source, difference (mean over targets), low, high (95% bootstrap over targets;
        for one or two targets by the variances, none where these are unknown), n_targets, n_ahead
        (targets with a positive difference),
        n_studies, n_with_variance (settings whose variance is known), pooled, tau2, i2, p_q
        (random effects over these, where there are two or more); best first.
    """
    rows = []
    for source, part in differences(measured, reference=reference).groupby("source", sort=True):
        by_target = part.groupby("target")["difference"].mean().to_numpy(dtype=np.float64)
        known = part[part["variance"] > 0]
        low, high = _over_targets(by_target, rng)
        if low is None and len(known) == len(part):
            half = 1.96 * float(np.sqrt(known["variance"].sum())) / len(known)
            low, high = part["difference"].mean() - half, part["difference"].mean() + half
        pooled = (
            random_effects(known["difference"].tolist(), known["variance"].tolist())
            if len(known) >= 2
            else None
        )
        rows.append(
            {
                "source": source,
                "difference": float(by_target.mean()),
                "low": low,
                "high": high,
                "n_targets": len(by_target),
                "n_ahead": int((by_target > 0).sum()),
                "n_studies": part["study"].nunique(),
                "n_with_variance": len(known),
                "pooled": None if pooled is None else pooled.effect,
                "tau2": None if pooled is None else pooled.tau2,
                "i2": None if pooled is None else pooled.i2,
                "p_q": None if pooled is None else pooled.p,
            }
        )
    columns = ["source", "difference", "low", "high", "n_targets", "n_ahead", "n_studies"]
    columns += ["n_with_variance", "pooled", "tau2", "i2", "p_q"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values("difference", ascending=False, ignore_index=True)


def standing(measured: pd.DataFrame, *, rng: np.random.Generator) -> pd.DataFrame:
    """Sources by the share of their rivals that they beat: Borda's count, target by target.

    In each setting of three sources or more a source beats so many of the others, a tie being half
    a win; settings of one target are averaged, then targets. Sources met different rivals: a share
    says how a source did in its company, and `mean_rank` how it ranked there.

    Returns: columns source, beats (share, in [0, 1]), low, high (95% bootstrap over targets; none
        for fewer than three), mean_rank (over settings, from 1), n_targets, n_studies; the highest
        share first.
    """
    plain = measured[measured["relative_to"].isna()].copy()
    setting = plain.groupby(_SETTING)["value"]
    plain["rivals"] = setting.transform("size") - 1
    plain["rank"] = setting.rank(ascending=False, method="average")
    plain = plain[plain["rivals"] >= _FEWEST - 1]
    plain["beats"] = 1 - (plain["rank"] - 1) / plain["rivals"]
    rows = []
    for source, part in plain.groupby("source", sort=True):
        by_target = part.groupby("target")["beats"].mean().to_numpy(dtype=np.float64)
        low, high = _over_targets(by_target, rng)
        rows.append(
            {
                "source": source,
                "beats": float(by_target.mean()),
                "low": low,
                "high": high,
                "mean_rank": float(part["rank"].mean()),
                "n_targets": len(by_target),
                "n_studies": part["study"].nunique(),
            }
        )
    columns = ["source", "beats", "low", "high", "mean_rank", "n_targets", "n_studies"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.sort_values(["beats", "source"], ascending=[False, True], ignore_index=True)


def spread(measured: pd.DataFrame) -> pd.DataFrame:
    """How much the choice of a source matters on each target: best less worst of a setting.

    'random' does not count: that pretraining helps is another question.

    Returns: columns target, modality, study, n_sources, best, worst, spread; settings of three
        sources or more; the smallest spread first.
    """
    plain = measured[measured["relative_to"].isna() & (measured["source"] != "random")]
    rows = []
    for key, part in plain.groupby(_SETTING, sort=True):
        if len(part) < _FEWEST:
            continue
        ordered = part.sort_values("value")
        best, worst = ordered.iloc[-1], ordered.iloc[0]
        rows.append(
            {
                "target": key[1],
                "modality": best["modality"],
                "study": key[0],
                "n_sources": len(part),
                "best": best["source"],
                "worst": worst["source"],
                "spread": float(best["value"] - worst["value"]),
            }
        )
    columns = ["target", "modality", "study", "n_sources", "best", "worst", "spread"]
    return pd.DataFrame(rows, columns=columns).sort_values("spread", ignore_index=True)


def _over_targets(values: _Doubles, rng: np.random.Generator) -> tuple[float | None, float | None]:
    if len(values) < 3:
        return None, None
    drawn = values[rng.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)
