// Keep the folder where a file was chosen last, for this window, over a reload of the page.

const KEY = "streetclip-folder";

export default function ({ data, setTriggerValue }) {
  try {
    const kept = sessionStorage.getItem(KEY);
    if (data.folder) sessionStorage.setItem(KEY, data.folder);
    else if (kept) setTriggerValue("kept", kept);
  } catch {
    // Some browsers keep nothing: Browse opens at the start then.
  }
}
