/** A request as others would send it: a command with curl, a script in Python. A token is named, never shown. */

import { token } from "./stored.js";

const TOKEN = "RESNETKIT_TOKEN";

const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
// JSON strings are strings of Python too.
const literal = (text) => JSON.stringify(text);

/** The command for curl; the body is that of a file, or a text. */
export function curl({ method, url, headers = {}, file = null, text = null }) {
  const lines = [`curl -sS ${quoted(String(url))}`];
  if (method !== "GET" && !file && text === null) lines.push(`-X ${method}`);
  if (token()) lines.push(`-H "Authorization: Bearer $${TOKEN}"`);
  for (const [name, value] of Object.entries(headers)) lines.push(`-H ${quoted(`${name}: ${value}`)}`);
  if (file) lines.push(`--data-binary ${quoted(`@${file}`)}`);
  if (text !== null) lines.push(`--data-binary ${quoted(text)}`);
  return lines.join(" \\\n  ");
}

/** The script in Python, which needs nothing but Python. */
export function python({ method, url, headers = {}, file = null, text = null }) {
  const body = file ? `open(${literal(file)}, "rb").read()` : text === null ? null : `${literal(text)}.encode()`;
  const sent = Object.entries(headers).map(([name, value]) => `${literal(name)}: ${literal(value)}`);
  if (token()) sent.push(`"Authorization": "Bearer " + os.environ["${TOKEN}"]`);
  return [
    `import ${token() ? "json, os" : "json"}`,
    "from urllib.request import Request, urlopen",
    "",
    "request = Request(",
    `    ${literal(String(url))},`,
    ...(body ? [`    data=${body},`] : []),
    ...(sent.length ? [`    headers={${sent.join(", ")}},`] : []),
    `    method="${method}",`,
    ")",
    "with urlopen(request) as response:",
    "    print(json.dumps(json.load(response), indent=2, ensure_ascii=False))",
  ].join("\n");
}
