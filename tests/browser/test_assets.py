"""Pieces of the page by themselves, given what is rare: odd numbers, answers that do not come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.conftest import OpenPage
from tests.explorer.ui.live_app import LiveApp

if TYPE_CHECKING:
    from playwright.sync_api import Page

# The part of a chart's height that is its plot, of 190 pixels.
TOP, BOTTOM = 12, 190 - 34


@pytest.fixture(scope="module", params=["light", "dark"])
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def page(app: LiveApp, open_page: OpenPage) -> Page:
    """Open the app; what is tested draws into a holder of its own."""
    page = open_page(app.url)
    page.wait_for_selector(".lx-sample .lx-frame img")
    page.evaluate("""() => {
        window.holder = document.createElement("div");
        holder.style.width = "600px";
        document.querySelector(".lx-images").prepend(holder);
    }""")
    return page


def draw_chart(page: Page, **spec: Any) -> dict[str, Any]:
    """Draw a chart from 0; return its ticks, the places of its dots and marks, and its bars."""
    chart = {"title": "T", "xLabel": "steps", "height": 190, "fromZero": True, **spec}
    found: dict[str, Any] = page.evaluate(
        """(chart) => {
        LX.chart(holder, chart);
        const all = (selector) => [...holder.querySelectorAll(selector)];
        const list = (selector, name) => all(selector).map((part) => part.getAttribute(name));
        return {
            dots: list("circle.lx-dot", "cy").map(Number),
            lines: list("polyline.lx-line", "points"),
            limits: list("circle.lx-limit", "cy").map(Number),
            bars: list(".lx-error-bar", "d"),
            ticks: all(".lx-tick[text-anchor=end]").map((part) => part.textContent),
        };
        }""",
        chart,
    )
    return found


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-0.12, 0.6, [0, 0.2, 0.4, 0.6]),
        (0, 10, [0, 2, 4, 6, 8, 10]),
        (8, 8, [8]),
    ],
)
def test_ticks_are_few_and_round(
    page: Page, low: float, high: float, expected: list[float]
) -> None:
    assert page.evaluate(
        "([low, high]) => LX.niceTicks(low, high, 5)", [low, high]
    ) == pytest.approx(expected)


@pytest.mark.parametrize(("low", "high"), [(1e17, 1e17 + 16), (1e16, 1e16 + 4), (-1e308, 1e308)])
def test_ticks_end_where_numbers_are_too_large_to_tell_apart(
    page: Page, low: float, high: float
) -> None:
    assert len(page.evaluate("([low, high]) => LX.niceTicks(low, high, 5)", [low, high])) <= 7


def test_measured_values_below_zero_stay_in_the_chart(page: Page) -> None:
    """A rank correlation may be negative, of one label among others and of all."""
    age = {"name": "age", "points": [[0, -0.12], [10, -0.05]]}
    hair = {"name": "hair", "points": [[0, 0.5], [10, 0.55]]}
    for series in ([hair, age], [age]):
        found = draw_chart(page, series=series)
        heights = [float(pair.split(",")[1]) for line in found["lines"] for pair in line.split()]
        assert all(TOP <= height <= BOTTOM for height in [*heights, *found["dots"]])
        assert heights[-2] > heights[-1]  # -0.12 lies below -0.05
        assert "0" in found["ticks"]


def test_an_error_bar_that_leaves_the_chart_has_no_cap_there(page: Page) -> None:
    def draw(value: float, low: float, high: float) -> dict[str, Any]:
        limit = {"value": value, "low": low, "high": high}
        points = [[100, 300.0], [1000, 100.0]]
        return draw_chart(page, series=[{"name": "one", "points": points, "limit": limit}])

    whole = draw(90, 80, 95)["bars"][0]
    assert whole.count("h6") == 2
    below = draw(-100, -400, 50)
    assert below["limits"] == [BOTTOM]  # it stays at the edge, a tenth of the largest below 0
    assert below["bars"][0].count("h6") == 1
    assert draw(-200, -400, -150)["bars"][0].count("h6") == 0


def test_numbers_of_a_confusion_can_be_read_on_every_cell(
    app: LiveApp, open_page: OpenPage, scheme: str
) -> None:
    """WCAG 1.4.3: a contrast of 4.5 to 1, on the diagonal and beside it."""
    page = open_page(app.url, color_scheme=scheme)
    page.wait_for_selector(".lx-sample .lx-frame img")
    contrasts = page.evaluate("""() => {
        const holder = document.createElement("div");
        document.querySelector(".lx-images").prepend(holder);
        const places = [...Array(10).keys()];
        const label = { name: "l", error: null, value: 0.5, real_value: 0.9, num_samples: 9 };
        label.values = places.map((place) => `v${place}`);
        label.confusion = places.map((row) => places.map((column) => {
            if (row === column) return 10 + 9 * row;
            return column === (row + 1) % 10 ? 90 - 9 * row : 0;
        }));
        LX.drawFidelity(holder, { labels: [label] });
        const paint = document.createElement("canvas").getContext("2d");
        const measure = (colour) => {
            paint.fillStyle = colour;
            paint.fillRect(0, 0, 1, 1);
            const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data]
                .map((byte) => byte / 255)
                .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
            return 0.05 + 0.2126 * red + 0.7152 * green + 0.0722 * blue;
        };
        const cells = [...holder.querySelectorAll("td")];
        return cells.filter((cell) => /[0-9]/.test(cell.textContent)).map((cell) => {
            const { color, backgroundColor } = getComputedStyle(cell);
            const ratio = measure(color) / measure(backgroundColor);
            return Math.max(ratio, 1 / ratio);
        });
    }""")
    assert len(contrasts) == 20
    assert min(contrasts) >= 4.5


def test_pictures_that_a_busy_server_refused_are_asked_for_again(page: Page) -> None:
    """Those of a model that was written again are not: they will not come."""
    counts = page.evaluate("""async () => {
        const counts = {};
        const run = async (name, answers) => {
            counts[name] = 0;
            const fetch_images = async () => answers[Math.min(counts[name]++, answers.length - 1)];
            const store = LX.imageStore({ fetch_images }, () => {});
            return Promise.all(store.getImages({ model: "m", checkpoint: "c" }, "seeds", [1, 2]));
        };
        const good = { frames: ["one", "two"] };
        const busy = { error: "busy", is_busy: true };
        const replaced = { error: "written again" };
        const found = [
            await run("busy", [busy, good]),
            await run("lost", [undefined, undefined, good]),
            await run("replaced", [replaced, good]),
        ];
        return { counts, found };
    }""")
    assert counts["found"] == [["one", "two"], ["one", "two"], [None, None]]
    assert counts["counts"] == {"busy": 2, "lost": 3, "replaced": 1}


def test_the_focus_waits_for_a_morph_that_is_still_drawn_unless_someone_goes_on(page: Page) -> None:
    """What is not visible cannot take it, though it has its place already."""
    focused = page.evaluate("""async () => {
        const wait = () => new Promise((done) => setTimeout(done, 200));
        holder.innerHTML = `<button>Elsewhere</button>
          <div class="lx-scrub" style="visibility: hidden"><input type="range"></div>`;
        const [other, scrub, range] = ["button", ".lx-scrub", "input"]
            .map((name) => holder.querySelector(name));
        LX.focusMorph();
        await wait();
        const early = document.activeElement === document.body;
        scrub.style.visibility = "visible";
        await wait();
        const late = document.activeElement === range;
        range.blur();
        scrub.style.visibility = "hidden";
        LX.focusMorph();
        await wait();
        other.focus();
        await wait();
        scrub.style.visibility = "visible";
        await wait();
        return [early, late, document.activeElement === other];
    }""")
    assert focused == [True, True, True]


def test_a_picture_and_its_step_never_disagree(page: Page) -> None:
    """Where the samples of a step cannot be had, the page says so and shows no others."""
    states = page.evaluate("""async () => {
        const src = "data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA=";
        const answers = { 0: { src }, 10: { error: "no samples of step 10" }, 20: undefined };
        const { show } = LX.runSamples(holder, async ({ step }) => answers[step]);
        show("run", [[0, 1], [10, 1], [20, 1]], () => {});
        const range = holder.querySelector("input");
        const states = [];
        for (const position of [0, 1, 0, 2]) {
            range.value = position;
            range.dispatchEvent(new Event("input"));
            await new Promise((done) => setTimeout(done, 200));
            const image = holder.querySelector("img");
            const notice = holder.querySelector(".lx-notice").textContent;
            states.push([image.dataset.step ?? null, image.hasAttribute("src"), notice]);
        }
        return states;
    }""")
    lost = "The server does not answer: is it still running?"
    good = ["0", True, ""]
    assert states == [good, [None, False, "no samples of step 10"], good, [None, False, lost]]
