"""`ngatu calibrate`: from points on the road to metres, and how good they are."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from pipeline.cli.common import AsJson, configuration, err, fail, out, print_json

if TYPE_CHECKING:
    from pipeline.config import StreamSettings
    from pipeline.scene import Calibration

USUAL_SIZE = (1920, 1080)
"""Width and height, in pixels, that a pixel's worth is told for without a still."""


def calibrate(
    points: Annotated[
        Path,
        typer.Argument(
            help="Scene file with `calibration`, or a CSV file x_px,y_px,x_m,y_m (or x,y,x_m,y_m with 0..1).",
            metavar="POINTS",
        ),
    ],
    still: Annotated[
        str | None,
        typer.Option(help="Picture, video file or rtsp:// address of the camera: the grid is drawn on it."),
    ] = None,
    config_file: Annotated[
        Path | None, typer.Option("--config", help="Take the still from a camera of this configuration ...")
    ] = None,
    camera: Annotated[str | None, typer.Option(help="... the one with this id.")] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--out", help="Where the grid goes (.jpg or .png); beside POINTS unless given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit picture to metres, tell how well the points agree, and draw a metric grid to look at."""
    import cv2

    from pipeline.config.load import ConfigError
    from pipeline.worker import survey
    from pipeline.worker.logs import configure_logs

    configure_logs("error")
    source = _source(still, config_file, camera)
    try:
        seen = survey.take_still(source) if source is not None else None
        size = None if seen is None else (seen.shape[1], seen.shape[0])
        settings = survey.read_survey(points, size)
    except ConfigError as error:
        fail(*error.problems)
    except survey.SurveyError as error:
        fail(str(error))
    calibration = settings.fitted()
    report = _report(calibration, survey.suspect(calibration), size)
    if seen is not None:
        grid, spacing_m = survey.draw_grid(seen, calibration)
        path = picture or points.with_name(f"{points.stem}-grid.jpg")
        jpeg = path.suffix.lower() in (".jpg", ".jpeg")
        try:
            written = cv2.imwrite(str(path), grid, [cv2.IMWRITE_JPEG_QUALITY, 92] if jpeg else [])
        except cv2.error:
            written = False
        if not written:
            fail(f"{path}: cannot be written; give --out a .jpg or .png in a folder that is there")
        report |= {"grid": str(path), "grid_m": spacing_m}
    if as_json:
        print_json(report)
        return
    _show(report)
    if points.suffix.lower() == ".csv":
        out.print("\nFor the scene file:\n", markup=False)
        out.print(_yaml(calibration), markup=False)


def _source(still: str | None, config_file: Path | None, camera: str | None) -> str | StreamSettings | None:
    if (config_file is None) != (camera is None) or (still is not None and camera is not None):
        fail("give either --still, or --config and --camera together")
    if config_file is None:
        return still
    config = configuration(config_file)
    found = next((one for one in config.cameras if one.id == camera), None)
    if found is None:
        fail(
            f"{config_file}: there is no camera {camera!r}; known: {', '.join(c.id for c in config.cameras)}"
        )
    stream: StreamSettings = found.record or found.detect
    return stream


def _report(calibration: Calibration, suspect: int | None, still: tuple[int, int] | None) -> dict[str, Any]:
    size = still or USUAL_SIZE
    # Without a still the picture's shape is not known.
    camera_m = calibration.camera_m(still[0] / still[1]) if still else None
    left_out = calibration.leave_one_out_m()
    pixel = calibration.jacobian(calibration.picture) / size
    rows: list[dict[str, Any]] = [
        {
            "point": k + 1,
            "picture": [round(float(v), 5) for v in calibration.picture[k]],
            "ground_m": [round(float(v), 3) for v in calibration.ground_m[k]],
            "error_m": round(float(calibration.residuals_m[k]), 3),
            "left_out_m": None
            if left_out is None or math.isnan(left_out[k])
            else round(float(left_out[k]), 3),
            "pixel_m": round(float(abs(pixel[k]).max()), 3),
        }
        for k in range(len(calibration.picture))
    ]
    known = [row["left_out_m"] for row in rows if row["left_out_m"] is not None]
    return {
        "points": rows,
        "pixel_of": list(size),
        "rms_m": round(calibration.rms_m, 4),
        "left_out_rms_m": round(math.sqrt(sum(v * v for v in known) / len(known)), 4) if known else None,
        "suspect": None if suspect is None else suspect + 1,
        "camera_m": [round(v, 1) for v in camera_m or ()] or None,
    }


def _show(report: dict[str, Any]) -> None:
    table = Table(
        "point", "picture", "ground m", "error m", "left out m", "one pixel m", box=None, pad_edge=False
    )
    for row in report["points"]:
        left_out = "-" if row["left_out_m"] is None else f"{row['left_out_m']:.2f}"
        table.add_row(
            str(row["point"]),
            "{:.4f} {:.4f}".format(*row["picture"]),
            "{:.2f} {:.2f}".format(*row["ground_m"]),
            f"{row['error_m']:.2f}",
            left_out,
            f"{row['pixel_m']:.3f}",
        )
    out.print(table)
    if "grid" not in report:
        width, height = report["pixel_of"]
        out.print(f"One pixel: for {width}x{height}, as no --still tells the picture's size.")
    if len(report["points"]) == 4:
        out.print("Four points always fit: whether they are right shows only in the grid, or with a fifth.")
    else:
        left_out = "" if report["left_out_rms_m"] is None else f"; left out {report['left_out_rms_m']:.2f} m"
        out.print(f"reprojection error {report['rms_m']:.3f} m RMS{left_out}")
    if report["suspect"] is not None:
        err.print(f"point {report['suspect']} does not fit the others: measure or click it again")
    if report["camera_m"] is not None:
        x, y, high = report["camera_m"]
        out.print(f"So the camera stands {high:.1f} m over the road, at x {x:.1f} m, y {y:.1f} m: does it?")
    if "grid" in report:
        out.print(f"{report['grid']}: a line every {report['grid_m']:g} m", markup=False)


def _yaml(calibration: Calibration) -> str:
    """To a fiftieth of a pixel and to the millimetre, however far away the metres' origin is."""
    lines = ["calibration:", "  points:"]
    for picture, ground_m in zip(calibration.picture, calibration.ground_m, strict=True):
        place, metres = (
            ", ".join(_decimal(float(v), digits) for v in pair)
            for pair, digits in ((picture, 5), (ground_m, 3))
        )
        lines.append(f"    - {{picture: [{place}], ground_m: [{metres}]}}")
    return "\n".join(lines)


def _decimal(value: float, digits: int) -> str:
    """Rounded, without zeros at the end or a minus before zero."""
    return f"{round(value, digits) + 0.0:.{digits}f}".rstrip("0").rstrip(".")
