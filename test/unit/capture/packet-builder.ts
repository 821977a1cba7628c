// Builds frames for the filter tests: IP packets behind any link header and tags. Shares no code with the product.

export function ipv4(
  protocol: number,
  payload: Buffer,
  options: { fragment?: number; headerWords?: number } = {},
): Buffer {
  const { fragment = 0, headerWords = 5 } = options;
  const header = Buffer.alloc(headerWords * 4);
  header[0] = 0x40 | headerWords;
  header.writeUInt16BE(header.length + payload.length, 2);
  header.writeUInt16BE(fragment, 6);
  header[8] = 64;
  header[9] = protocol;
  header.writeUInt32BE(0xc0000201, 12);
  header.writeUInt32BE(0xc0000202, 16);
  return Buffer.concat([header, payload]);
}

export function ipv6(nextHeader: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(40);
  header[0] = 0x60;
  header.writeUInt16BE(payload.length, 4);
  header[6] = nextHeader;
  header[7] = 64;
  header.writeUInt32BE(0x20010db8, 8);
  header.writeUInt32BE(0x20010db8, 24);
  return Buffer.concat([header, payload]);
}

/** Ports and enough zeros for a TCP or UDP header; the length field of UDP is right. */
export function ports(source: number, destination: number): Buffer {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt16BE(source, 0);
  bytes.writeUInt16BE(destination, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  return bytes;
}

/** An Ethernet frame; `tags` are tag types from the outside in. */
export function ethernet(type: number, payload: Buffer, tags: readonly number[] = []): Buffer {
  const addresses = Buffer.from("020000000001020000000002", "hex");
  const tagBytes = tags.map((tag, i) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(tag, 0);
    bytes.writeUInt16BE(100 + i, 2);
    return bytes;
  });
  const typeBytes = Buffer.alloc(2);
  typeBytes.writeUInt16BE(type, 0);
  return Buffer.concat([addresses, ...tagBytes, typeBytes, payload]);
}

/** A frame of another link type around an IP packet. */
export function linkFrame(linkType: number, type: number, payload: Buffer): Buffer {
  switch (linkType) {
    case 113: {
      const header = Buffer.alloc(16);
      header.writeUInt16BE(1, 2);
      header.writeUInt16BE(6, 4);
      header.writeUInt16BE(type, 14);
      return Buffer.concat([header, payload]);
    }
    case 276: {
      const header = Buffer.alloc(20);
      header.writeUInt16BE(type, 0);
      header.writeUInt16BE(1, 8);
      return Buffer.concat([header, payload]);
    }
    default:
      return payload;
  }
}
