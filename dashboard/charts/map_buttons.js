// Buttons over the map: zoom as the map's keys do; the others ask the server for another view.

const KEYS = { "zoom-in": "Equal", "zoom-out": "Minus" };
const STEP_MS = 400; // longer than a zoom takes
const FOLLOWED = new WeakSet();

function press(code) {
  const canvas = document.querySelector(".st-key-map_canvas canvas");
  canvas?.dispatchEvent(new KeyboardEvent("keydown", { code, bubbles: true }));
}

// deck.gl zooms in when its canvas grows, but not out when it shrinks, as after full screen. The
// canvas is another one after each change of a filter, so it is looked up each time.
function follow(map) {
  let last = 0;
  const timer = setInterval(() => {
    if (!map.isConnected) clearInterval(timer);
    const width = map.querySelector("canvas")?.clientWidth ?? 0;
    if (width && width < 0.97 * last) {
      press("Minus"); // halves the zoom, but not below the fit
      last = Math.max(width, last / 2);
    }
    last = Math.max(last, width);
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
