# SPDX-FileCopyrightText: the gaio authors
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The picture of a freeze: how long each push took, and which frames were lost."""
try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None

COLOURS = {"filesink": "#c51b7d", "queue ! filesink": "#e08214", "gaiofilesink": "#08519c"}
LOST = "#b2182b"
LEAST_MS, MOST_MS = 0.005, 6000
LOST_MS = 3000  # where the marks of lost frames are drawn


def draw(path, runs, period_ms, title):
    """Writes the picture of one run of each writer; False if there is nothing to draw with.

    `runs` has what bench-camera prints, with its pushes, by writer; and as "span" the time, in
    seconds, from which and up to which the disk stood still.
    """
    names = [name for name in COLOURS if name in runs]
    if pyplot is None or not names:
        return False
    figure, panels = pyplot.subplots(len(names), 1, sharex=True, sharey=True, squeeze=False,
                                     figsize=(9, 2.5 * len(names) + 1))
    figure.suptitle(title[0].upper() + title[1:], fontsize=11)
    for panel, name in zip(panels[:, 0], names):
        run = runs[name]
        taken = {round(at * 1000 / period_ms) for at, _ in run["pushes"]}
        lost = [i * period_ms / 1000 for i in range(int(run["made"])) if i not in taken]
        panel.axvspan(*run["span"], color="#dddddd", linewidth=0, label="the disk stands still")
        panel.axhline(period_ms, color="#777777", linewidth=0.8, linestyle="--",
                      label=f"the next frame is due ({period_ms:g} ms)")
        panel.plot([at for at, _ in run["pushes"]],
                   [max(took, LEAST_MS) for _, took in run["pushes"]],
                   linestyle="none", marker=".", markersize=3.5, color=COLOURS[name],
                   label="a push")
        panel.plot(lost, [LOST_MS] * len(lost), linestyle="none", marker="|", markersize=8,
                   color=LOST, label="a frame lost")
        missed = f", {run['missed']:.0f} missed by the camera" if run["missed"] else ""
        panel.set_title(f"{name}: {run['dropped']:.0f} of {run['made']:.0f} frames lost, "
                        f"longest push {longest(run['max_ms'])}{missed}", fontsize=10, loc="left")
        panel.set_yscale("log")
        panel.set_ylim(LEAST_MS, MOST_MS)
        panel.set_ylabel("push, ms")
        panel.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
        panel.grid(True, which="major", linewidth=0.4, color="#cccccc")
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1, 0].set_xlabel("time since the first frame, s")
    handles = {label: handle for panel in panels[:, 0]
               for handle, label in zip(*panel.get_legend_handles_labels())}
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncol=4, fontsize=9,
                  frameon=False, markerscale=2)
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return True


def longest(milliseconds):
    """The longest push as one reads it."""
    return f"{milliseconds:.2f} ms" if milliseconds < 10 else f"{milliseconds:.0f} ms"
