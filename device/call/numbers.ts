// Telephone numbers in one form, so that the same line is recognised however it was written or dialled: +countrycode…
// after ITU-T E.164, with the dialling prefixes of the place where the box stands. Pure functions; what is no
// telephone number (extensions, names, service codes) stays as it is.
import { isIP } from "node:net";
import type { Config } from "../contract/config.js";
import { isAnonymousForm } from "../sip/identity.js";

export type NumberRules = Config["numbers"];

/** E.164 §6.1. */
const MAX_DIGITS = 15;
const MAX_WRITTEN_CHARACTERS = 64;
/** Digits behind the country code from which on a number without any prefix is taken for an international one. */
const LEAST_DIGITS_BEHIND_COUNTRY_CODE = 8;
/** Shorter ones are extensions: every office has its own 21. */
const LEAST_DIGITS_TO_COMPARE = 5;

/** "+4930123456" for a telephone number, else `user` unchanged. */
export function normalizeNumber(user: string, rules: NumberRules): string {
  const written = withoutSeparators(user);
  if (written === "") return user;
  const digits = written.startsWith("+") ? written.slice(1) : internationalDigits(written, rules);
  return isInternational(digits, rules) ? `+${digits}` : user;
}

/** Two user parts name one telephone: for correlation. Never true of anonymous or very short ones. */
export function sameNumber(a: string, b: string, rules: NumberRules): boolean {
  const one = comparableNumber(a, rules);
  return one !== "" && one === comparableNumber(b, rules);
}

/** The form in which two user parts of one telephone are equal; "" for anonymous and very short ones. */
export function comparableNumber(user: string, rules: NumberRules): string {
  if (isAnonymousForm(user)) return "";
  const number = normalizeNumber(user, rules);
  const digits = number.startsWith("+") ? number.slice(1) : withoutSeparators(number);
  // Gateways write nothing but zeros where a number is withheld.
  if (digits.length < LEAST_DIGITS_TO_COMPARE || !/^\d+$/.test(digits) || /^0+$/.test(digits)) return "";
  return number.startsWith("+") ? number : digits;
}

/** Digits with at most a leading "+", without visual separators (RFC 3966 §5.1.1); "" when it is written otherwise. */
function withoutSeparators(user: string): string {
  if (user.length > MAX_WRITTEN_CHARACTERS || !/^\+?[\d\s()./-]+$/.test(user) || isIP(user) !== 0) return "";
  // "+49 (0)30 …": the trunk prefix in brackets is not dialled from abroad.
  const international = user.startsWith("+") ? user.replace("(0)", "") : user;
  return international.replace(/[\s()./-]/g, "");
}

/** Country code and number of what was written without "+"; "" when it is none. */
function internationalDigits(written: string, rules: NumberRules): string {
  const { countryCode, areaCode, internationalPrefix, nationalPrefix, shortestNumber } = rules;
  if (countryCode === "" || written.length < shortestNumber) return "";
  const number = withoutOutsideLine(written, rules);
  if (startsWith(number, internationalPrefix)) return number.slice(internationalPrefix.length);
  if (startsWith(number, nationalPrefix)) return countryCode + number.slice(nationalPrefix.length);
  if (number.startsWith(countryCode) && number.length >= countryCode.length + LEAST_DIGITS_BEHIND_COUNTRY_CODE)
    return number;
  if (areaCode !== "") return countryCode + areaCode + number;
  // Where no trunk prefix is dialled, a number as it stands is a national one.
  return nationalPrefix === "" ? countryCode + number : "";
}

/** The digit for an outside line goes where a dialled number surely follows it. */
function withoutOutsideLine(number: string, rules: NumberRules): string {
  const { outsideLinePrefix, internationalPrefix, nationalPrefix } = rules;
  if (!startsWith(number, outsideLinePrefix)) return number;
  const rest = number.slice(outsideLinePrefix.length);
  if (startsWith(rest, internationalPrefix) || startsWith(rest, nationalPrefix)) return rest;
  const isPrefixItself =
    startsWith(internationalPrefix, outsideLinePrefix) || startsWith(nationalPrefix, outsideLinePrefix);
  return isPrefixItself || rest.length < rules.shortestNumber ? number : rest;
}

function startsWith(number: string, prefix: string): boolean {
  return prefix !== "" && number.startsWith(prefix);
}

/** No country code starts with 0 (E.164 Annex). */
function isInternational(digits: string, rules: NumberRules): boolean {
  return digits.length >= rules.shortestNumber && digits.length <= MAX_DIGITS && /^[1-9]\d*$/.test(digits);
}
