// The names that the suite shares with the Worker: headers, parameters, limits of time. They are spelled here only.

/** The header with the token that a stream's last line repeats. */
export const END_HEADER = "raydex-end";
/** The parameter that says whether a stream has that line, and how a stream is asked for without it. */
export const SUMMARY = "summary";
export const PURE = `${SUMMARY}=false`;
/** What a marker line begins with, by the form of its stream. */
export const MARKERS = ['{"raydex":', "# raydex "];
/** What a cut stream of Logpull ends with, before its connection breaks. */
export const LOGPULL_CUT = "Error streaming data.";
/** The header of an assertion of Cloudflare Access. */
export const ASSERTION = "cf-access-jwt-assertion";
/** The header that says why a caller asks. */
export const REASON = "raydex-reason";
/** The line of the log that says that the module had to be replaced. */
export const TRAP = "instance_replaced";
/** How soon other callers are answered while one of them stalls or scans, in milliseconds. */
export const OTHERS_MS = 2_000;
/** How long a peer that does nothing may hold what it holds, in milliseconds. */
export const IDLE_MS = 60_000;
/** Scans that one caller may have at once. */
export const SCANS = 2;
/** Headers that every answer has, each with what its value must match. */
export const SECURITY_HEADERS = {
  "strict-transport-security": /max-age=\d{7,}/,
  "content-security-policy": /default-src 'none'.*frame-ancestors 'none'|frame-ancestors 'none'.*default-src 'none'/,
  "cross-origin-resource-policy": /^same-origin$/,
  "x-content-type-options": /^nosniff$/,
  "cache-control": /no-store/,
};
/** Answers that stay as they are whatever the caller may see, so that caches may keep them. */
export const CACHEABLE = ["/openapi.json"];
