"""Tasks of molecular dynamics with the trained models: the spec's section `ensemble`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ilmlip.chemistry.bonds import IonBonds
from ilmlip.chemistry.given import configuration
from ilmlip.errors import SpecError
from ilmlip.hashing import plain
from ilmlip.plan.add import SOME, add, seed_of
from ilmlip.plan.configurations import TESTING
from ilmlip.plan.frames import Frames
from ilmlip.plan.graph import Plan
from ilmlip.plan.models import committees
from ilmlip.plan.task import Task
from ilmlip.spec.ensemble import Ensemble, Run
from ilmlip.spec.mixtures import Composition, composition_label, ion_counts, set_label
from ilmlip.spec.types import Spec

FILES = {"md": "md.csv", "md_page": "md.md", "md_figure": "md.png"}
OBSERVED = {
    "observables": "observables.csv",
    "observables_page": "observables.md",
    "observables_figure": "observables.png",
    "densities_figure": "densities.png",
}
COMPRESSED = {
    "compressibility": "compressibility.csv",
    "compressibility_page": "compressibility.md",
    "compressibility_figure": "compressibility.png",
}
VALIDATED = {
    "validation": "validation.csv",
    "validation_page": "validation.md",
    "validation_figure": "validation.png",
}
TRUSTED = {
    "committee": "committee.csv",
    "committee_page": "committee.md",
    "committee_figure": "committee.png",
}


def dynamics(
    plan: Plan, spec: Spec, frames: Frames, models: Sequence[Mapping[str, Any]], about: Any
) -> dict[str, tuple[str, str]]:
    """A run of each chosen model, composition, condition and replica; one table and figure of all.

    Each starts from the last frame of the trajectory that test frames come from.
    """
    ensemble, conditions = spec.ensemble, spec.ensemble.runs()
    runs: dict[str, dict[str, Any]] = {}
    of: dict[str, tuple[Mapping[str, Any], Composition]] = {}
    made_of: dict[str, Run] = {}
    files: dict[str, tuple[str, str]] = {}
    for model in models if conditions else ():
        if not _is_run(ensemble, spec, model):
            continue
        for x in ensemble.fractions or spec.compositions.fractions:
            start = _start(plan, spec, frames, x)
            for made in conditions:
                for replica in range(ensemble.replicas):
                    entry = _entry(model, x, made, replica)
                    key = _run(plan, ensemble, model, start, made, entry, about)
                    if ensemble.lammps_files:
                        files |= _lammps_files(plan, model, plan.tasks[key], entry)
                    runs[key] = entry
                    of[key] = (model, x)
                    made_of[key] = made
    if not runs:
        return {}
    table = add(
        plan,
        "md_report",
        {"runs": tuple(runs.values())},
        {"md": tuple(runs)},
        quorum={"md": SOME},
    )
    outputs = {output: (table, file) for output, file in FILES.items()} | files
    key = _observed(plan, spec, runs)
    outputs |= {output: (key, file) for output, file in OBSERVED.items()}
    if ensemble.pressures:
        key = _compressibilities(plan, runs, made_of)
        outputs |= {output: (key, file) for output, file in COMPRESSED.items()}
    if ensemble.validate_frames:
        data = _labelled(plan, spec, frames, runs, of, made_of)
        key = _validated(plan, runs, of, data)
        outputs |= {output: (key, file) for output, file in VALIDATED.items()}
        if spec.model.committee:
            key = _trusted(plan, spec, models, runs, of, data)
            outputs |= {output: (key, file) for output, file in TRUSTED.items()}
    return outputs


def ion_bonds(spec: Spec) -> dict[str, IonBonds]:
    """The bonds of each ion of the system; none of a crystal."""
    found = {}
    for name, ion in spec.system.ions.items():
        number = {atom.name: i for i, atom in enumerate(ion.atoms)}
        terms = ion.bond_terms()
        found[name] = IonBonds(
            elements=ion.geometry().elements,
            bonds=tuple((number[a], number[b]) for (a, b), _ in terms),
            lengths=tuple(harmonic.equilibrium for _, harmonic in terms),
            charge=ion.charge,
        )
    return found


def _start(plan: Plan, spec: Spec, frames: Frames, x: Composition) -> str:
    """The task that leaves the configuration which runs of a composition start from."""
    given = spec.ensemble.start
    if given is None:
        return frames.configurations(x, TESTING)[0][-1].trajectory
    params: dict[str, Any] = {
        "sha256": given.sha256,
        "composition": ion_counts(spec.system, spec.compositions, x),
        "ions": {name: ion.geometry().elements for name, ion in spec.system.ions.items()},
        "bonds": {name: ion.bonded_atoms() for name, ion in spec.system.ions.items()},
        "densities": spec.ensemble.guards.densities,
    }
    try:
        configuration(Path(given.file), **params)
    except ValueError as error:
        raise SpecError(
            "ensemble.start.file",
            f"{Path(given.file).name} {error}. Runs of x = {composition_label(x)} start from it; name "
            "another file, or say with ensemble.fractions which composition is run",
        ) from None
    return add(plan, "start", params, how={"path": given.file})


def _lammps_files(
    plan: Plan, model: Mapping[str, Any], md: Task, entry: Mapping[str, Any]
) -> dict[str, tuple[str, str]]:
    """A run as files for a user's own LAMMPS: outputs `lammps_<training>_seed<n>_<x>_<T>K_…`."""
    params = plain(md.params)
    same = ("run", "seed", "supercell", "thermo_every", "frame_every")
    needs = {
        "model": (model["key"],),
        "dataset": (model["dataset"],),
        "structure": md.needs["structure"],
    }
    told = {name: entry[name] for name in ("seed", "composition", "replica")}
    about = {"training": entry["model"], **told}
    given = {name: params[name] for name in same if name in params}
    key = add(plan, "lammps_files", given, needs, about=about)
    name = f"lammps_{entry['model']}_seed{entry['seed']}_{entry['composition']}"
    name += f"_{entry['temperature']:g}K_{entry['replica']}"
    return {
        name: (key, "in.lammps"),
        f"{name}_data": (key, "start.data"),
        f"{name}_model": (key, "model.nequip.pt2"),
    }


def _observed(plan: Plan, spec: Spec, runs: Mapping[str, Mapping[str, Any]]) -> str:
    """What each run says of the liquid, and all of it in one table."""
    found = []
    for key, entry in runs.items():
        md = plan.tasks[key]
        params = {
            "run": plain(md.params)["run"],
            "supercell": spec.ensemble.supercell,
            "ions": ion_bonds(spec),
        }
        needs = {"md": (key,), "structure": md.needs["structure"]}
        told = {name: entry[name] for name in ("seed", "composition", "replica")}
        found.append(
            add(plan, "observe", params, needs, about={"training": entry["model"], **told})
        )
    return add(
        plan,
        "observe_report",
        {"runs": tuple(runs.values()), **_by_experiment(spec, runs)},
        {"observed": tuple(found)},
        quorum={"observed": SOME},
    )


def _by_experiment(spec: Spec, runs: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The measured densities of the pure salts among the compositions that are run."""
    measured, sources = {}, []
    labels = {entry["composition"] for entry in runs.values()}
    for x in spec.compositions.fractions:
        if composition_label(x) not in labels or spec.system.crystal is not None:
            continue
        counts = ion_counts(spec.system, spec.compositions, x)
        for salt in spec.system.salts.values():
            alike = counts.keys() == salt.ions.keys()
            if salt.measured and alike and len({counts[i] / n for i, n in salt.ions.items()}) == 1:
                measured[composition_label(x)] = salt.measured
                sources.append(salt.measured_source)
    return {"measured": measured, "source": "; ".join(dict.fromkeys(sources))} if measured else {}


def _compressibilities(
    plan: Plan, runs: Mapping[str, Mapping[str, Any]], conditions: Mapping[str, Run]
) -> str:
    """All runs, each of which rises in pressure, in one table."""
    params = {
        "runs": tuple(runs.values()),
        "ladder": tuple(conditions[key] for key in runs),
    }
    return add(plan, "compressibility", params, {"md": tuple(runs)}, quorum={"md": SOME})


def _labelled(
    plan: Plan,
    spec: Spec,
    frames: Frames,
    runs: Mapping[str, Mapping[str, Any]],
    of: Mapping[str, tuple[Mapping[str, Any], Composition]],
    made_of: Mapping[str, Run],
) -> dict[str, str]:
    """Frames of each run labelled by the reference, as a test set."""
    count = spec.ensemble.validate_frames
    found = {}
    for key in runs:
        made = made_of[key]
        between = {"between": (made.settle, made.span())} if made.pressures else {}
        chosen = add(plan, "md_frames", {"count": count, **between}, {"md": (key,)})
        found[key] = frames.labelled_from(of[key][1], chosen, count)
    return found


def _predicted(plan: Plan, model: str, data: str, x: Composition) -> str:
    """A model's evaluation on frames of a run."""
    about = {"kind": "md", "composition": composition_label(x)}
    return add(
        plan, "evaluate", {"kind": "nequip"}, {"model": (model,), "dataset": (data,)}, about=about
    )


def _validated(
    plan: Plan,
    runs: Mapping[str, Mapping[str, Any]],
    of: Mapping[str, tuple[Mapping[str, Any], Composition]],
    data: Mapping[str, str],
) -> str:
    """Labelled frames of each run predicted by the model, beside the test set."""
    needs: dict[str, list[str]] = {"evaluation": [], "testing": [], "dataset": []}
    for key in runs:
        model, x = of[key]
        needs["dataset"].append(data[key])
        needs["testing"].append(model["evaluations"][x])
        needs["evaluation"].append(_predicted(plan, model["key"], data[key], x))
    return add(
        plan,
        "validate",
        {"runs": tuple(runs.values())},
        {role: tuple(keys) for role, keys in needs.items()},
        quorum=dict.fromkeys(needs, SOME),
    )


def _trusted(
    plan: Plan,
    spec: Spec,
    models: Sequence[Mapping[str, Any]],
    runs: Mapping[str, Mapping[str, Any]],
    of: Mapping[str, tuple[Mapping[str, Any], Composition]],
    data: Mapping[str, str],
) -> str:
    """The spread of each run's committee along the run, beside its error."""
    needs: dict[str, list[str]] = {"committee": [], "dataset": []}
    members = committees(spec.model, models)
    for key in runs:
        name, x = of[key][0]["entry"]["model"], of[key][1]
        evaluations = tuple(_predicted(plan, m["key"], data[key], x) for m in members[name])
        inputs = {"evaluations": evaluations, "dataset": (data[key],)}
        about = {"training": name, "composition": composition_label(x), "kind": "md"}
        needs["committee"].append(add(plan, "committee", {}, inputs, about=about))
        needs["dataset"].append(data[key])
    return add(
        plan,
        "trust",
        {"runs": tuple(runs.values())},
        {role: tuple(keys) for role, keys in needs.items()},
        quorum=dict.fromkeys(needs, SOME),
    )


def _is_run(ensemble: Ensemble, spec: Spec, model: Mapping[str, Any]) -> bool:
    entry = model["entry"]
    if model["kind"] != "nequip" or entry["seed"] not in spec.model.seeds[: ensemble.seeds]:
        return False
    return not ensemble.training or entry["model"] in map(set_label, ensemble.training)


def _entry(model: Mapping[str, Any], x: Composition, made: Run, replica: int) -> dict[str, Any]:
    return {
        "model": model["entry"]["model"],
        "seed": model["entry"]["seed"],
        "composition": composition_label(x),
        "kind": made.kind,
        "temperature": made.temperature,
        "pressure": made.pressure,
        "replica": replica,
    }


def _run(
    plan: Plan,
    ensemble: Ensemble,
    model: Mapping[str, Any],
    start: str,
    made: Run,
    entry: Mapping[str, Any],
    about: Any,
) -> str:
    steps = {
        name: round(getattr(ensemble, f"{name}_interval") / made.timestep)
        for name in ("thermo", "restart")
    }
    # the same first velocities for every model, so that models are compared from one start
    seed = seed_of("md", entry["composition"], made.temperature, entry["replica"])
    needs = {"model": (model["key"],), "structure": (start,)}
    named = {"training": entry["model"], "model": model["key"]}
    if ensemble.compiled:
        data = {"model": (model["key"],), "dataset": (model["dataset"],)}
        compiled = add(plan, "compile_model", {}, data, about={**named, "seed": entry["seed"]})
        needs["compiled"] = (compiled,)
    told = {name: entry[name] for name in ("seed", "composition", "replica")}
    return add(
        plan,
        "md",
        {
            "run": made,
            "seed": seed,
            "supercell": ensemble.supercell,
            "thermo_every": steps["thermo"],
            "frame_every": round(ensemble.interval / made.timestep),
            "guards": ensemble.guards,
            "engine": ensemble.engine,
        },
        needs,
        about={
            **about,
            **named,
            **told,
            "ensemble": made.kind,
            "T": made.temperature,
            **({} if made.pressure is None else {"P": made.pressure}),
        },
        how={"restart_every": steps["restart"]},
    )
