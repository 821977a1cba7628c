// Telephone numbers as those see them who may not see them in full: one way of masking for every face. Pure.

export const NUMBER_MASK = "•••";
const SHOWN_DIGITS = 3;
/** Extensions and short codes: three of their four digits would mask nothing, and an admin tells phones by them. */
const SHORT_NUMBER = /^[0-9*#]{0,4}$/;
const LONG_NUMBER = /^\+?[0-9*#]{5,}$/;

/** "•••456" for +4930123456. What is no number (the user part of an address) names a person: nothing of it is shown. */
export function maskNumber(number: string): string {
  if (SHORT_NUMBER.test(number)) return number;
  return LONG_NUMBER.test(number) ? NUMBER_MASK + number.slice(-SHOWN_DIGITS) : NUMBER_MASK;
}

/** A date, which stays, or what may be a number: five digits or more, however they are set apart. */
const DATE_OR_NUMBER = /\d{4}-\d{2}(?:-\d{2})?(?!\d)|\b\d{1,2}\.\d{1,2}\.\d{4}\b|\+?\d(?:[ ()./-]{0,3}\d){4,}/g;
const DATE = /^(?:\d{4}-\d{2}(?:-\d{2})?|\d{1,2}\.\d{1,2}\.\d{4})$/;

/** A text that somebody wrote, with every number in it masked. */
export function maskNumbersIn(text: string): string {
  return text.replace(DATE_OR_NUMBER, (found) =>
    DATE.test(found) ? found : maskNumber(found.replace(/[ ()./-]/g, "")),
  );
}
