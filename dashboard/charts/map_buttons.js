// Buttons over the map: zoom as the map's keys do; the others ask the server for another view.

const KEYS = { "zoom-in": "Equal", "zoom-out": "Minus" };
const STEP_MS = 400; // longer than a zoom takes
const FOLLOWED = new WeakSet();

function press(code, shiftKey = false) {
  const canvas = document.querySelector(".st-key-map_canvas canvas");
  canvas?.dispatchEvent(new KeyboardEvent("keydown", { code, shiftKey, bubbles: true }));
}

// deck.gl zooms in when its canvas grows, but not out when it shrinks, as after full screen: zoom
// out once the width has settled and deck.gl has drawn with it. With Shift that quarters the zoom,
// else it halves it, but not below the fit. The canvas is another one after each change of a filter.
function follow(map) {
  let fitted = 0;
  let seen = 0;
  const timer = setInterval(() => {
    if (!map.isConnected) clearInterval(timer);
    const width = map.querySelector("canvas")?.clientWidth ?? 0;
    const settled = width && width === seen;
    seen = width;
    if (!settled) return;
    const ratio = width / fitted;
    const fit = () => press("Minus", ratio < 0.5);
    if (ratio < 0.97) requestAnimationFrame(() => requestAnimationFrame(fit));
    fitted = width;
  }, STEP_MS);
}

export default function ({ parentElement, data, setTriggerValue }) {
  for (const button of parentElement.querySelectorAll("button")) {
    const code = KEYS[button.name];
    button.onclick = () => (code ? press(code) : setTriggerValue(button.name, true));
  }
  parentElement.querySelector("[name=world]").setAttribute("aria-pressed", data.is_world);
  const map = document.querySelector(".st-key-map_canvas");
  if (map && !FOLLOWED.has(map)) {
    FOLLOWED.add(map);
    follow(map);
  }
}
