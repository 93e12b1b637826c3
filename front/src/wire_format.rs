//! Protobuf's encoding, as far as the requests of checks have it.
//!
//! It knows tags, numbers and lengths. It may not know messages.

/// Tags of a field: its number and its wire type. All known ones have one byte.
pub const BYTES_1: u8 = 1 << 3 | 2;
pub const BYTES_2: u8 = 2 << 3 | 2;
pub const BYTES_3: u8 = 3 << 3 | 2;
pub const NUMBER_1: u8 = 1 << 3;

/// The bytes of a field with a largest number.
pub const NUMBER_FIELD_BYTES_MAX: usize = 11;

/// A part of a message. 4 MiB fit into 32 bits, and a batch has thousands of them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    start: u32,
    end: u32,
}

impl Part {
    pub fn of(self, message: &[u8]) -> &[u8] {
        &message[self.start as usize..self.end as usize]
    }

    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }
}

/// The fields of a message, one after the other. None stands for the end, and for what is odd.
pub struct Fields<'a> {
    message: &'a [u8],
    at: usize,
}

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Self { message, at: 0 }
    }

    /// Return the next tag: None at the end. A tag of several bytes is none that is known, whatever its first byte.
    pub fn tag(&mut self) -> Option<u8> {
        let tag = *self.message.get(self.at)?;
        self.at += 1;
        Some(tag)
    }

    /// Return bytes that have their length before them.
    pub fn part(&mut self) -> Option<Part> {
        let size = usize::try_from(self.number()?).ok()?;
        let (start, end) = (self.at, self.at.checked_add(size)?);
        if end > self.message.len() {
            return None;
        }
        self.at = end;
        Some(Part { start: start.try_into().ok()?, end: end.try_into().ok()? })
    }

    /// Return a number of up to 64 bits. One that is written longer than it need be is odd: parsers differ about it.
    pub fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.tag()?;
            if shift > 0 && byte == 0 || shift == 63 && byte > 1 {
                return None;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(value);
            }
        }
        None
    }
}

/// Append a number.
pub fn put_number(to: &mut Vec<u8>, number: u64) {
    let mut rest = number;
    while rest > 0x7f {
        to.push(0x80 | low_bits(rest));
        rest >>= 7;
    }
    to.push(low_bits(rest));
}

fn low_bits(number: u64) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_are_written() {
        for number in [0, 1, 127, 128, 300, 1 << 32, u64::MAX - 1, u64::MAX] {
            let mut made = Vec::new();
            put_number(&mut made, number);
            assert!(made.len() < NUMBER_FIELD_BYTES_MAX);
            assert_eq!(Fields::of(&made).number(), Some(number));
            assert_eq!(Fields::of(&made[..made.len() - 1]).number(), None);
        }
    }

    #[test]
    fn numbers_that_are_too_long_are_odd() {
        for made in [&[0x86, 0][..], &[0x80, 0x80, 0], &[0xff; 11], &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2]] {
            assert_eq!(Fields::of(made).number(), None, "{made:?}");
        }
    }
}
