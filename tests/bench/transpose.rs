//! Rows of `facts` in RowBinary, turned into one block of Native.

/// A column of `facts` in Native: its type, without LowCardinality and SimpleAggregateFunction,
/// which ClickHouse puts around it by itself.
const COLUMNS: [(&str, &str, Layout); 27] = [
    ("cluster", "String", Text),
    ("namespace", "String", Text),
    ("pod_uid", "UUID", Fixed(16)),
    ("container", "String", Text),
    ("container_id", "FixedString(32)", Fixed(32)),
    ("event_at", TIME, Fixed(8)),
    ("pod", "String", Text),
    ("node", "String", Text),
    ("host_network", "UInt8", Fixed(1)),
    ("service_account", "String", Text),
    (
        "owner",
        "Tuple(version UInt64, at DateTime64(6, 'UTC'), kind String, name String, \
         workload_kind String, workload String, inferred UInt8)",
        Tuple(&[Fixed(8), Fixed(8), Text, Text, Text, Text, Fixed(1)]),
    ),
    (
        "labels",
        "Tuple(version UInt64, at DateTime64(6, 'UTC'), pairs Array(Tuple(key String, value String)))",
        Tuple(&[Fixed(8), Fixed(8), Array(&[Text, Text])]),
    ),
    (
        "phase",
        "Tuple(version UInt64, at DateTime64(6, 'UTC'), phase String)",
        Tuple(&[Fixed(8), Fixed(8), Text]),
    ),
    (
        "pod_ips",
        "Map(IPv6, UInt64)",
        Array(&[Fixed(16), Fixed(8)]),
    ),
    ("created_at", "DateTime('UTC')", Fixed(4)),
    (
        "created_by",
        "Tuple(user String, acting_as String)",
        Tuple(&[Text, Text]),
    ),
    ("scheduled_at", TIME, Fixed(8)),
    ("pod_started_at", "DateTime('UTC')", Fixed(4)),
    (
        "delete_asked",
        "Tuple(at DateTime64(6, 'UTC'), user String, acting_as String)",
        Tuple(&[Fixed(8), Text, Text]),
    ),
    ("removed_at", TIME, Fixed(8)),
    (
        "kind",
        "Enum8('' = 0, 'app' = 1, 'init' = 2, 'sidecar' = 3, 'ephemeral' = 4)",
        Fixed(1),
    ),
    ("runtime", "String", Text),
    ("container_id_text", "String", Text),
    (
        "image",
        "Tuple(version UInt64, at DateTime64(6, 'UTC'), image String, image_id String)",
        Tuple(&[Fixed(8), Fixed(8), Text, Text]),
    ),
    ("restart", "UInt32", Fixed(4)),
    ("started_at", "DateTime('UTC')", Fixed(4)),
    (
        "ended",
        "Tuple(seen UInt8, finished_at DateTime('UTC'), version UInt64, at DateTime64(6, 'UTC'), \
         exit_code Int32, signal Int32, reason String)",
        Tuple(&[
            Fixed(1),
            Fixed(4),
            Fixed(8),
            Fixed(8),
            Fixed(4),
            Fixed(4),
            Text,
        ]),
    ),
];

const TIME: &str = "DateTime64(6, 'UTC')";

/// How a value lies in a row.
#[derive(Clone, Copy)]
enum Layout {
    Fixed(usize),
    Text,
    /// So many elements, each of these one after the other; also a map.
    Array(&'static [Layout]),
    Tuple(&'static [Layout]),
}

use Layout::{Array, Fixed, Text, Tuple};

/// A column on its way: the same shape as its layout.
enum Column {
    Fixed(usize, Vec<u8>),
    Text(Vec<u8>),
    /// Where each row's elements end, then the elements.
    Array(Vec<u8>, u64, Vec<Column>),
    Tuple(Vec<Column>),
}

/// The block; nothing if the bytes are no whole rows.
pub fn native(rows: &[u8]) -> Option<Vec<u8>> {
    let mut columns: Vec<Column> = COLUMNS.iter().map(|(.., layout)| column(*layout)).collect();
    let mut left = rows;
    let mut count = 0;
    while !left.is_empty() {
        for column in &mut columns {
            column.take(&mut left)?;
        }
        count += 1;
    }
    let mut block = Vec::with_capacity(rows.len() + rows.len() / 8);
    put_varint(&mut block, COLUMNS.len());
    put_varint(&mut block, count);
    for ((name, kind, _), column) in COLUMNS.iter().zip(&columns) {
        for text in [name, kind] {
            put_varint(&mut block, text.len());
            block.extend_from_slice(text.as_bytes());
        }
        column.put(&mut block);
    }
    Some(block)
}

fn column(layout: Layout) -> Column {
    let all = |layouts: &[Layout]| layouts.iter().copied().map(column).collect();
    match layout {
        Fixed(length) => Column::Fixed(length, Vec::new()),
        Text => Column::Text(Vec::new()),
        Array(layouts) => Column::Array(Vec::new(), 0, all(layouts)),
        Tuple(layouts) => Column::Tuple(all(layouts)),
    }
}

impl Column {
    /// Moves one value from the row's bytes to the column.
    fn take(&mut self, from: &mut &[u8]) -> Option<()> {
        match self {
            Column::Fixed(length, to) => to.extend_from_slice(from.split_off(..*length)?),
            Column::Text(to) => {
                let (length, prefix) = varint(from)?;
                to.extend_from_slice(from.split_off(..prefix + length)?);
            }
            Column::Array(ends, end, columns) => {
                let (count, prefix) = varint(from)?;
                from.split_off(..prefix)?;
                for _ in 0..count {
                    for column in &mut *columns {
                        column.take(from)?;
                    }
                }
                *end += count as u64;
                ends.extend_from_slice(&end.to_le_bytes());
            }
            Column::Tuple(columns) => {
                for column in columns {
                    column.take(from)?;
                }
            }
        }
        Some(())
    }

    fn put(&self, to: &mut Vec<u8>) {
        match self {
            Column::Fixed(_, bytes) | Column::Text(bytes) => to.extend_from_slice(bytes),
            Column::Array(ends, _, columns) => {
                to.extend_from_slice(ends);
                columns.iter().for_each(|column| column.put(to));
            }
            Column::Tuple(columns) => columns.iter().for_each(|column| column.put(to)),
        }
    }
}

/// A length, and how many bytes tell it.
fn varint(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            return Some((value, place + 1));
        }
    }
    None
}

fn put_varint(to: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}
