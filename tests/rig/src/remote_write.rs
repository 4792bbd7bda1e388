//! Samples of the past for Prometheus, in the format of its remote write: a small protobuf message, wrapped as snappy
//! without compressing anything.

use std::time::Duration;

/// One series of the past, in even steps that end `ends` before now.
#[derive(Debug, Clone)]
pub struct PastSeries {
    pub name: String,
    pub labels: Vec<(String, String)>,
    pub step: Duration,
    pub ends: Duration,
    /// Oldest first.
    pub values: Vec<f64>,
}

impl PastSeries {
    /// The body of a write request; `now`: milliseconds since 1970.
    pub(crate) fn body(&self, now: u64) -> Vec<u8> {
        let mut labels: Vec<(&str, &str)> = vec![("__name__", self.name.as_str())];
        labels.extend(self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        labels.sort_unstable();
        let mut series = Vec::new();
        for (name, value) in labels {
            let mut label = Vec::new();
            bytes(&mut label, 1, name.as_bytes());
            bytes(&mut label, 2, value.as_bytes());
            bytes(&mut series, 1, &label);
        }
        let (step, ends) = (self.step.as_millis() as u64, self.ends.as_millis() as u64);
        for (age, value) in (0..self.values.len() as u64).rev().zip(&self.values) {
            let mut sample = vec![1 << 3 | 1];
            sample.extend(value.to_le_bytes());
            sample.push(2 << 3);
            varint(&mut sample, now.saturating_sub(ends + age * step));
            bytes(&mut series, 2, &sample);
        }
        let mut message = Vec::new();
        bytes(&mut message, 1, &series);
        literal(&message)
    }
}

/// A field of bytes: text, or another message.
fn bytes(message: &mut Vec<u8>, field: u8, value: &[u8]) {
    message.push(field << 3 | 2);
    varint(message, value.len() as u64);
    message.extend(value);
}

fn varint(message: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        message.push(value as u8 | 0x80);
        value >>= 7;
    }
    message.push(value as u8);
}

/// A snappy block of nothing but literals.
fn literal(message: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    varint(&mut block, message.len() as u64);
    for piece in message.chunks(1 << 16) {
        // A literal whose length is in the next two bytes.
        block.push(61 << 2);
        block.extend(((piece.len() - 1) as u16).to_le_bytes());
        block.extend(piece);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_laid_out_as_the_formats_say() {
        let series = PastSeries {
            name: "x".to_owned(),
            labels: vec![("a".to_owned(), "b".to_owned())],
            step: Duration::from_millis(2),
            ends: Duration::from_millis(1),
            values: vec![0.0, 1.0],
        };
        let body = series.body(130);
        assert_eq!(body[..4], [52, 244, 51, 0], "52 bytes, all of them literal");
        let message = &body[4..];
        assert_eq!(message[..2], [10, 50]);
        assert_eq!(message[2..17], *b"\x0a\x0d\x0a\x08__name__\x12\x01x");
        assert_eq!(message[17..25], *b"\x0a\x06\x0a\x01a\x12\x01b");
        assert_eq!(message[25..27], [0x12, 11]);
        assert_eq!(message[27..37], [9, 0, 0, 0, 0, 0, 0, 0, 0, 16]);
        assert_eq!(message[37], 127, "130 - 1 - 2");
        assert_eq!(message.last_chunk::<2>(), Some(&[129, 1]), "130 - 1");
    }
}
