/** Asking the server: with its token, patient where it is busy, and with its errors in words. */

import { Failure } from "./failure.js";
import { token } from "./stored.js";
import { newToken } from "./token.js";

const PATIENCE = 8; // times that a busy server is asked again
const LONGEST_PAUSE_SECONDS = 60;

/** The address of a path of the server, wherever behind a proxy it is. */
export function address(path, query = {}) {
  const url = new URL(path, document.baseURI.split("#")[0]);
  for (const [name, value] of Object.entries(query)) {
    if (value !== null && value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

/** Seconds until a busy server wants to be asked again: a number, or a date. */
export function retryAfter(response) {
  const told = response.headers.get("Retry-After") ?? "1";
  const seconds = /^\d+$/.test(told) ? Number(told) : (Date.parse(told) - Date.now()) / 1000;
  return Math.min(LONGEST_PAUSE_SECONDS, Math.max(0, Number.isFinite(seconds) ? seconds : 1));
}

export const pause = (seconds, signal) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 1000 * seconds);
    signal?.addEventListener("abort", () => (clearTimeout(timer), reject(signal.reason)), { once: true });
  });

async function send(url, { method, body, headers, signal }) {
  const sent = { ...headers };
  if (token()) sent.Authorization = `Bearer ${token()}`;
  try {
    return await fetch(url, { method, body, headers: sent, signal, credentials: "omit" });
  } catch (error) {
    signal?.throwIfAborted();
    throw error instanceof TypeError ? Failure.unreachable() : error;
  }
}

/** The server's answer, whatever its status, for those who show it as it is. */
export async function askOnce(path, { method = "GET", query, body, headers = {}, signal } = {}) {
  const url = address(path, query);
  for (;;) {
    const used = token();
    const response = await send(url, { method, body, headers, signal });
    if (response.status !== 401 || !(await newToken(used))) return response;
  }
}

/**
 * The server's answer, asked again as it wishes while it is busy; `onWait` is told the seconds of each pause.
 * Throws a Failure for an answer that is an error.
 */
export async function ask(path, { onWait, patience = PATIENCE, ...request } = {}) {
  for (let times = 0; ; times += 1) {
    const response = await askOnce(path, request);
    if (response.ok) return response;
    if (response.status !== 503 || times >= patience) throw await Failure.of(response);
    const seconds = retryAfter(response);
    onWait?.(seconds);
    await pause(seconds, request.signal);
  }
}

export async function askJson(path, request) {
  const response = await ask(path, request);
  return response.json();
}
