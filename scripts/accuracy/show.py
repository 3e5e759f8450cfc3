"""How a report is printed."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


def show(result: dict[str, Any], console: Console) -> None:
    """Print a report."""
    show_judged(result, console)
    if result["offline"]:
        for light, speed in result["speeds"].items():
            console.print(speed_line(light, speed))
        console.print(f"No worker, no streams: no picture was dropped. Took {result['took_s']:.0f} s.")
    else:
        _plates(result, console)
        _perception(result, console)
        _machine(result, console)
    if result["bars_missed"] is None:
        console.print("The bars are not asked for: this is too little to judge by.")
    for sentence in result["bars_missed"] or ():
        console.print(f"[bold red]bar missed[/] {sentence}")


def show_judged(result: dict[str, Any], console: Console) -> None:
    """The part of a report that tells what rules and counts made of the films."""
    console.print(f"Model {result['model']}. {result['definition']}\n", markup=False)
    _acts(result, console)
    _details(result, console)
    _lanes(result, console)


def _acts(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "kind", title="Acts")
    for name in ("true", "found", "false", "missed", "precision", "recall", "late s", "p95 s", "unseen"):
        table.add_column(name, justify="right")
    table.add_column("look-alikes flagged")
    for row in result["acts"]:
        error = row["time_error_s"]
        table.add_row(
            row["light"],
            row["kind"],
            *(str(row[name]) for name in ("true", "found", "false", "missed")),
            *(_share(row[name], 3) for name in ("precision", "recall")),
            *(_share(error[name], 2) for name in ("median", "p95_absolute")),
            str(row["found_unseen"]),
            ", ".join(f"{name} ×{count}" for name, count in row["look_alikes_flagged"].items()),
        )
    console.print(table)
    console.print("unseen: really happened and found, though it did not count; neither found nor false.")
    for light, kinds in result["look_alikes"].items():
        flagged = (f"{kind} {one['flagged']} of {one['seen']}" for kind, one in sorted(kinds.items()))
        console.print(f"Legal look-alikes flagged, {light}: {', '.join(flagged) or 'none were seen'}.")
    if result["without_a_rule"]:
        console.print(
            f"No rule of these films' cameras, with this model, for: {', '.join(result['without_a_rule'])}."
        )


def _details(result: dict[str, Any], console: Console) -> None:
    if not result["details"]:
        return
    table = Table("", "film", "camera", "at s", "kind", "what", title="To look at")
    for one in result["details"]:
        text = (
            f"actor {one['actor']} {one['place']} {one['height_px']} px"
            if one["what"] == "missed"
            else f"{one['why']} ({one['confidence']}, event {one['event'][:8]})"
        )
        table.add_row(one["what"], one["film"], one["camera"], f"{one['time_s']:.1f}", one["kind"], text)
    console.print(table)


def _lanes(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "camera and lane, class", "true", "counted", title="Vehicles counted")
    for light, found in result["lanes"].items():
        for name, counts in (*found["lanes"].items(), *found["classes"].items()):
            table.add_row(light, name, str(counts["true"]), str(counts["counted"]))
        off = found["counted"] / found["true"] - 1
        text = (
            f"all ({off:+.1%}; film by film and lane by lane {found['off_by_lane']:.1%}, "
            f"by class too {found['off_by_lane_and_class']:.1%})"
        )
        table.add_row(light, text, str(found["true"]), str(found["counted"]), style="bold", end_section=True)
    console.print(table)


def _plates(result: dict[str, Any], console: Console) -> None:
    names = ("acts", "exact", "legible", "legible_and_wrong", "candidates")
    table = Table("light", "characters", title="Plates of those reported")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for light, bands in result["plates"].items():
        for band, one in bands.items():
            last = band == "all"
            table.add_row(
                light, band, *(str(one[name]) for name in names), style="bold" * last, end_section=last
            )
    console.print(table)


def _perception(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "class", "objects", "mAP50", "mAP50-95", title="Detector and tracker")
    for light, found in result["perception"].items():
        for name, one in found["classes"].items():
            table.add_row(
                light, name, str(one["objects"]), _share(one["map50"], 3), _share(one["map50_95"], 3)
            )
        table.add_row(
            light,
            f"mean of {found['pictures']} pictures; HOTA {found['hota']:.3f} (detection {found['deta']:.3f}, "
            f"association {found['assa']:.3f}), IDF1 {found['idf1']:.3f}",
            "",
            _share(found["map50"], 3),
            _share(found["map50_95"], 3),
            style="bold",
            end_section=True,
        )
    console.print(table)
    for light, found in result["perception"].items():
        if found["speed"] is not None:
            console.print(speed_line(light, found["speed"]))


def speed_line(light: str, speed: dict[str, Any]) -> str:
    """Errors of speeds, as Perception has them."""
    slower = speed["truly_slower"]
    off = "" if not slower["tracks"] else f" (mean error {slower['mean_absolute_kmh']:.2f} km/h)"
    limits = speed["at_borrowed_limits"]
    borrowed = "/".join(f"{limit_kmh:g}" for limit_kmh in limits["limits_kmh"])
    wrong = "; ".join(
        f"{one['camera']} at {one['time_s']:.1f} s told {one['told_kmh']:.1f}±{one['uncertainty_kmh']:.1f}, "
        f"truly {one['true_kmh']:.1f}"
        for one in limits["false"]
    )
    return (
        f"Speeds, {light}: {speed['tracks']} tracks ({speed['unsure']} more, too unsure), "
        f"mean error {speed['mean_absolute_kmh']:.2f} km/h, "
        f"95 % within {speed['p95_absolute_kmh']:.2f} km/h, "
        f"{speed['within_3_kmh']:.1%} within 3 km/h, {speed['within_uncertainty']:.1%} within the "
        f"uncertainty told. Not among them, though told as 20 km/h and up, and sure: {slower['tracks']} of "
        f"vehicles truly slower{off}, {speed['of_no_vehicle']} of no one vehicle.\n"
        f"Speeding at borrowed limits ({borrowed} km/h), {light}: "
        f"{limits['told']} told, {len(limits['false'])} false{wrong and f' ({wrong})'}."
    )


def _machine(result: dict[str, Any], console: Console) -> None:
    cameras = [
        (film["film"], name, camera) for film in result["films"] for name, camera in film["cameras"].items()
    ]
    dropped = sum(camera["dropped"] for *_, camera in cameras)
    analysed, expected = (sum(camera[key] for *_, camera in cameras) for key in ("analysed", "expected"))
    slowest = max((camera["latency_s"] for *_, camera in cameras), default=0.0)
    console.print(
        f"{analysed} of {expected} pictures analysed, {dropped} dropped; mean latency of the slowest camera "
        f"{slowest:.2f} s. Took {result['took_s']:.0f} s."
    )
    for film, name, camera in cameras:
        if not camera["kept_up"]:
            console.print(
                f"[bold red]no measurement[/] {film} {name}: the machine could not keep up "
                f"({camera['analysed']} of {camera['expected']} analysed, {camera['dropped']} dropped): "
                "leave it alone meanwhile, or give a smaller --at-once"
            )


def _share(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
