// Address fields (From, To, Contact, P-Asserted-Identity) and Via values: cut into a name, a URI and clean parameters
// in linear time, and what a URI says about its user and host. RFC 3261 §19.1, §20.10, §25.1; RFC 3966 for tel:.
// Never resolves, compares or trusts anything.
import {
  isToken,
  percentDecode,
  quotedStringEnd,
  shorten,
  splitOutsideQuotes,
  unquote,
  withoutControlCharacters,
} from "./text.js";

const MAX_PARAMETERS = 64;
/** Display names are shown to people and kept per call. */
export const MAX_NAME_CHARACTERS = 256;

export interface AddressParts {
  /** Display name as text, unquoted; "" when none. */
  name: string;
  /** What stands inside <>, or the bare addr-spec up to its first ";". */
  uri: string;
  /** The field's own parameters as written, from the first ";" on. */
  parameters: string;
}

/** Cuts one address field's value; a value of several addresses gives the first. */
export function splitAddress(value: string): AddressParts {
  const quotedEnd = value.startsWith('"') ? quotedStringEnd(value, 0) : -1;
  const open = value.indexOf("<", Math.max(0, quotedEnd));
  if (open < 0) return splitAddrSpec(value.slice(Math.max(0, quotedEnd)));
  const close = value.indexOf(">", open);
  const uriEnd = close < 0 ? value.length : close;
  const rest = value.slice(uriEnd + 1);
  const parameterStart = rest.indexOf(";");
  return {
    name: displayName(value.slice(0, open).trim()),
    uri: value.slice(open + 1, uriEnd).trim(),
    parameters: parameterStart < 0 ? "" : (splitOutsideQuotes(rest.slice(parameterStart), ",", 1)[0] ?? ""),
  };
}

/** Without <>, everything from the first ";" on belongs to the field, not to the URI (RFC 3261 §20.10). */
function splitAddrSpec(value: string): AddressParts {
  const first = splitOutsideQuotes(value, ",", 1)[0] ?? "";
  const semicolon = first.indexOf(";");
  return {
    name: "",
    uri: (semicolon < 0 ? first : first.slice(0, semicolon)).trim(),
    parameters: semicolon < 0 ? "" : first.slice(semicolon),
  };
}

function displayName(text: string): string {
  const plain = unquote(text);
  // An unbalanced quote (RFC 4475 §3.1.2.6) is dropped rather than shown.
  const clean = withoutControlCharacters(plain === text ? text.replaceAll('"', "") : plain).trim();
  return shorten(clean, MAX_NAME_CHARACTERS).trimEnd();
}

/** Every address of a field that may hold several, over all its header lines; at most `maximum`. */
export function splitAddresses(values: readonly string[], maximum: number): AddressParts[] {
  const found: AddressParts[] = [];
  for (const value of values) {
    let pending = "";
    for (const piece of splitOutsideQuotes(value, ",", maximum + 1)) {
      // A comma in a name that should have been quoted: without a URI so far, the piece belongs to the next one.
      pending = pending === "" ? piece : `${pending},${piece}`;
      if (!/<|^\s*[A-Za-z][A-Za-z0-9+.-]*:|@/.test(pending)) continue;
      if (found.length >= maximum) return found;
      found.push(splitAddress(pending.trim()));
      pending = "";
    }
  }
  return found;
}

/** Value of a parameter, unquoted; "" when it has none, undefined when it is not there. Names have no case. */
export function parameterOf(parameters: string, name: string): string | undefined {
  for (const piece of splitOutsideQuotes(parameters, ";", MAX_PARAMETERS)) {
    const equals = piece.indexOf("=");
    if ((equals < 0 ? piece : piece.slice(0, equals)).trim().toLowerCase() !== name) continue;
    return equals < 0 ? "" : unquote(piece.slice(equals + 1).trim());
  }
  return undefined;
}

/** A parameter of the URI itself (";user=phone", ";cause=302"); undefined when it is not there. RFC 3261 §19.1.1. */
export function uriParameter(uri: string, name: string): string | undefined {
  const rest = uri.slice(uri.lastIndexOf("@") + 1);
  const question = rest.indexOf("?");
  const semicolon = rest.indexOf(";");
  if (semicolon < 0 || (question >= 0 && question < semicolon)) return undefined;
  return parameterOf(rest.slice(semicolon, question < 0 ? rest.length : question), name);
}

/** A header field embedded in the URI ("?Reason=SIP%3Bcause%3D302"), decoded; undefined when it is not there. */
export function uriHeader(uri: string, name: string): string | undefined {
  const rest = uri.slice(uri.lastIndexOf("@") + 1);
  const question = rest.indexOf("?");
  if (question < 0) return undefined;
  for (const piece of rest.slice(question + 1).split("&", MAX_PARAMETERS)) {
    const equals = piece.indexOf("=");
    if (equals > 0 && piece.slice(0, equals).toLowerCase() === name)
      return withoutControlCharacters(percentDecode(piece.slice(equals + 1)));
  }
  return undefined;
}

/**
 * Rewrites parameters so that the library reads each of them whole: values outside its token alphabet are quoted,
 * names outside it left out. At most MAX_PARAMETERS.
 */
export function cleanParameters(parameters: string): string {
  let clean = "";
  for (const piece of splitOutsideQuotes(parameters, ";", MAX_PARAMETERS)) {
    const equals = piece.indexOf("=");
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim();
    if (!isToken(name)) continue;
    const value = equals < 0 ? "" : piece.slice(equals + 1).trim();
    clean += value === "" ? `;${name}` : `;${name}=${quoteUnlessToken(value)}`;
  }
  return clean;
}

function quoteUnlessToken(value: string): string {
  if (isToken(value)) return value;
  if (value.startsWith('"') && quotedStringEnd(value, 0) === value.length) return value;
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}

export interface UriParts {
  user: string;
  host: string;
}

/**
 * User and host of a URI: sip and sips (a missing scheme is read as sip), tel with the number as user. Other schemes
 * name no telephone and give two empty strings.
 */
export function splitUri(uri: string): UriParts {
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(uri)?.[1]?.toLowerCase();
  if (scheme === "tel") return { user: telephoneNumber(uri.slice(4)), host: "" };
  if (scheme === "sip" || scheme === "sips") return splitSipUri(uri.slice(scheme.length + 1));
  // "host:5060" has no scheme either.
  if (scheme === undefined || /^\d+(?:[;?]|$)/.test(uri.slice(scheme.length + 1))) return splitSipUri(uri);
  return { user: "", host: "" };
}

function splitSipUri(rest: string): UriParts {
  // The last "@": an unescaped one inside the user part is common, one behind it is not.
  const at = rest.lastIndexOf("@");
  const userInfo = at < 0 ? "" : rest.slice(0, at);
  const password = userInfo.indexOf(":");
  return {
    user: sipUser(password < 0 ? userInfo : userInfo.slice(0, password)),
    host: hostOf(rest.slice(at + 1)),
  };
}

/** Parameters of a telephone number in a user part are cut (RFC 3261 §19.1.6); other users may hold a ";". */
function sipUser(text: string): string {
  const semicolon = text.indexOf(";");
  const number = semicolon < 0 ? "" : text.slice(0, semicolon);
  return withoutControlCharacters(percentDecode(/^\+?[0-9A-Fa-f*#().-]+$/.test(number) ? number : text));
}

/** The number without parameters and visual separators (RFC 3966 §3, §5.1.1). */
function telephoneNumber(text: string): string {
  const semicolon = text.indexOf(";");
  const number = percentDecode(semicolon < 0 ? text : text.slice(0, semicolon));
  return withoutControlCharacters(number.replace(/[-.()\s]/g, ""));
}

/** Host of "host:port;parameters?headers", lower case, without the brackets of an IPv6 reference. */
function hostOf(text: string): string {
  if (text.startsWith("[")) {
    const close = text.indexOf("]");
    return (close < 0 ? text.slice(1) : text.slice(1, close)).toLowerCase();
  }
  const end = text.search(/[:;?]/);
  return (end < 0 ? text : text.slice(0, end)).trim().toLowerCase();
}
