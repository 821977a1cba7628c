// Types of the npm package `sip` 0.0.6 as far as parser.ts uses it; the package ships none.
declare module "sip" {
  /** Parameter values keep their quotes; a parameter without a value is null. */
  export interface LibraryParameters {
    [name: string]: string | null | undefined;
  }
  export interface LibraryAddress {
    name?: string;
    uri: string;
    params: LibraryParameters;
  }
  export interface LibraryMessage {
    headers: {
      from?: LibraryAddress;
      to?: LibraryAddress;
      cseq?: { seq: number; method: string };
      via?: { params: LibraryParameters }[];
      contact?: LibraryAddress[];
    };
  }
  export interface SipLibrary {
    /** One message with its empty line; undefined when it is none. Never call it with unbounded text. */
    parse(message: string): LibraryMessage | undefined;
    parseAOR(data: { s: string; i: number }): LibraryAddress;
  }
}
