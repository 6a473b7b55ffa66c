"""What can be asked of the page: every law and awkward statistics make a scene that computes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from empirical.report.explorer.formulas import FORMULAS
from empirical.report.explorer.measured_run import measured_run
from empirical.report.explorer.scenes import Scene, next_step, whole_run
from empirical.statistics_files import from_json
from scaling_theory.laws.table import LAW_FORMS
from scaling_theory.schedule import Schedule
from scaling_theory.transfer.measured_rules import MEASURED_RULES
from scaling_theory.transfer.situation import Hold, Recipe, Situation
from tests.report.explorer_vectors import GRIDS, made_up_law, made_up_statistics


def place_of(scene: Scene) -> dict[str, Any]:
    """Where the sliders stand when the page opens, as its script puts it."""
    at: dict[str, Any] = {"covariates": {}, "keep": scene.keeps[0], "epsilon": 0.0, "tuned": {}}
    for slider in (*scene.sliders, *scene.tuned):
        value = slider.stops[slider.start].value
        if slider.name.startswith("tuned "):
            at["tuned"][slider.name.removeprefix("tuned ")] = value
        elif slider.name in ("batch_size", "epsilon"):
            at[slider.name] = value
        else:
            at["covariates"][slider.name] = value
    at["tuned"].setdefault("epsilon", at["epsilon"])
    return at


def check(scene: Scene) -> list[str]:
    """Sliders are in order; the status of every answer where they stand."""
    for slider in (*scene.sliders, *scene.tuned):
        values = [stop.value for stop in slider.stops]
        assert values == sorted(set(values))
        assert len({stop.text for stop in slider.stops}) == len(values)
    low, high = (scene.sliders[0].stops[end].value for end in (0, -1))
    assert low <= scene.domain[0] and high >= scene.domain[1]
    assert scene.tuned[1].stops[0].value == low
    at, found = place_of(scene), []
    for method in scene.methods:
        for evaluate in (FORMULAS[method.formula].alone, FORMULAS[method.formula].carried):
            if evaluate is not None:
                found.append(evaluate(scene.sources.get(method.source, {}), at)["status"])
    return found


@pytest.mark.parametrize("form", LAW_FORMS)
@pytest.mark.parametrize("covariates", [(), ("n_params", "tokens"), ("steps",)], ids=len)
def test_every_law_makes_a_scene(form: str, covariates: tuple[str, ...]) -> None:
    """Closed form: sliders for what the law depends on, and a number where they stand."""
    law = made_up_law(form, covariates)
    scene = whole_run(law)
    names = {slider.name for slider in scene.sliders}
    assert names == {"batch_size", *law.covariates}
    assert set(check(scene)) == {"ok"}
    assert ("steps" in scene.keeps) == bool({"tokens", "steps"} & set(covariates))


@pytest.mark.parametrize("hold", ["one-step", "tokens", "steps"])
def test_a_scene_says_what_the_law_s_runs_had_in_common(hold: Hold) -> None:
    """Closed form: a law of single steps does not stand under a heading of whole runs."""
    scene = whole_run(replace(made_up_law("canonical", ()), held_fixed=hold))
    assert ("whole run" in scene.title) == (hold != "one-step")
    assert ("says nothing of a whole run" in scene.limits) == (hold == "one-step")
    # In proportion to the batch size makes no claim where steps are kept.
    assert ("no claim" in check(scene)) == (hold == "steps")


@pytest.mark.parametrize("name", GRIDS)
def test_awkward_statistics_make_a_scene(name: str) -> None:
    """Closed form: one batch size, few epsilons, no minimum in a corner."""
    saved = from_json(made_up_statistics(name))
    scene = next_step(saved)
    for each in (scene, measured_run(saved)):
        statuses = check(each)
        assert "ok" in statuses
        assert set(statuses) <= {"ok", "no minimum", "no claim"}
    # SGD's learning rate has another unit: it is no stop of this slider.
    assert all(stop.value < float("inf") for stop in scene.sliders[1].stops)


@pytest.mark.parametrize("keep", ["steps", "tokens"])
def test_the_run_law_is_that_of_predict(keep: Hold) -> None:
    """Another route: the rule of `predict`, told the steps of the tuned run."""
    saved = from_json(made_up_statistics("fine"))
    rule = next(rule for rule in MEASURED_RULES if rule.name == "run law")
    recipe = Recipe(
        "adamw", beta1=0.9, epsilon=0.002, steps=250, schedule=Schedule("linear", final_share=0.2)
    )
    moved = Situation(
        learning_rate=7e-4,
        batch0=24.0,
        batch=96.0,
        hold=keep,
        recipe=recipe,
        wanted_epsilon=0.0012,
        surface=saved.surface,
    )
    wanted = rule.apply(moved).factor
    tuned = {"learning_rate": 7e-4, "batch_size": 24.0, "epsilon": 0.002}
    at = {"batch_size": 96.0, "epsilon": 0.0012, "keep": keep, "tuned": tuned}
    carried = FORMULAS["run law"].carried
    assert wanted is not None and carried is not None
    # The page's number of steps is that of the run asked for.
    steps = 250 / (4 if keep == "tokens" else 1)
    run = {"covariates": {"steps": steps, "beta1": 0.9, "final_share": 0.2}}
    found = carried(made_up_statistics("fine"), at | run)
    assert found["learning_rate"] == pytest.approx(7e-4 * wanted.value, rel=1e-12)
