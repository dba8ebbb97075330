//! Inputs for robustness tests: valid seeds, broken in the ways that break parsers. The same number always gives the same inputs.
//!
//! In: seeds, words of the format (a libFuzzer dictionary), a starting number. Out: one mutated input after the other.

/// Longest input made.
const MOST: usize = 64 << 10;

/// Numbers at which parsers go wrong: borders of sign and size, and their neighbours.
const NUMBERS: [u64; 24] = [
    0,
    1,
    2,
    7,
    8,
    16,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0x1FF,
    0x200,
    0x400,
    0x1000,
    0x7FFF,
    0x8000,
    0xFFFF,
    0x1_0000,
    0x7FFF_FFFF,
    0x8000_0000,
    0xFFFF_FFFF,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
];

/// Makes inputs.
pub(crate) struct Mutator {
    state: u64,
    words: Vec<Vec<u8>>,
}

impl Mutator {
    /// A maker of inputs that begins at `seed`, with words of the format.
    pub(crate) fn new(seed: u64, words: Vec<Vec<u8>>) -> Self {
        Self { state: seed, words }
    }

    /// One of the seeds, changed one to eight times.
    pub(crate) fn next(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = seeds[self.below(seeds.len())].clone();
        let changes = 1 << self.below(4);
        for _ in 0..changes {
            self.change(&mut input, seeds);
        }
        input.truncate(MOST);
        input
    }

    /// `SplitMix64`: every state is followed by another, without short cycles.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`; 0 if `limit` is 0.
    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random() % (limit.max(1) as u64)).unwrap()
    }

    fn change(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        match self.below(12) {
            0 => self.flip(input),
            1 => self.set_byte(input),
            2..=4 => self.set_number(input),
            5 => self.step_number(input),
            6 => self.remove(input),
            7 => self.repeat(input),
            8 => self.splice(input, seeds),
            9 => self.cut(input),
            _ => self.put_word(input),
        }
    }

    fn flip(&mut self, input: &mut [u8]) {
        let at = self.below(input.len());
        let bit = self.below(8);
        if let Some(byte) = input.get_mut(at) {
            *byte ^= 1 << bit;
        }
    }

    fn set_byte(&mut self, input: &mut [u8]) {
        let (at, value) = (self.below(input.len()), self.random().to_le_bytes()[0]);
        if let Some(byte) = input.get_mut(at) {
            *byte = value;
        }
    }

    /// Sets a field of 1, 2, 4 or 8 bytes to a number from the table, little-endian; half of the time at its natural alignment.
    fn set_number(&mut self, input: &mut [u8]) {
        let width = 1 << self.below(4);
        let value = NUMBERS[self.below(NUMBERS.len())];
        if let Some(field) = self.field(input, width) {
            field.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }

    /// Adds or takes away a little from a field.
    fn step_number(&mut self, input: &mut [u8]) {
        let width = 1 << self.below(4);
        let step = (self.random() % 65).wrapping_sub(32);
        if let Some(field) = self.field(input, width) {
            let mut whole = [0; 8];
            whole[..width].copy_from_slice(field);
            let value = u64::from_le_bytes(whole).wrapping_add(step);
            field.copy_from_slice(&value.to_le_bytes()[..width]);
        }
    }

    fn field<'a>(&mut self, input: &'a mut [u8], width: usize) -> Option<&'a mut [u8]> {
        let mut at = self.below((input.len() + 1).saturating_sub(width));
        if self.random().is_multiple_of(2) {
            at -= at % width;
        }
        input.get_mut(at..at + width)
    }

    fn remove(&mut self, input: &mut Vec<u8>) {
        let (start, end) = self.part(input.len());
        input.drain(start..end);
    }

    fn repeat(&mut self, input: &mut Vec<u8>) {
        let (start, end) = self.part(input.len());
        let copy = input[start..end].to_vec();
        let times = 1 + self.below(3);
        let at = if self.random().is_multiple_of(2) { end } else { self.below(input.len() + 1) };
        for _ in 0..times {
            if input.len() < MOST {
                input.splice(at..at, copy.iter().copied());
            }
        }
    }

    /// Puts a part of another seed over or into this one.
    fn splice(&mut self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let other = &seeds[self.below(seeds.len())];
        let (start, end) = self.part(other.len());
        let at = self.below(input.len() + 1);
        let over = if self.random().is_multiple_of(2) { (at + end - start).min(input.len()) } else { at };
        input.splice(at..over, other[start..end].iter().copied());
    }

    fn cut(&mut self, input: &mut Vec<u8>) {
        let length = self.below(input.len() + 1);
        input.truncate(length);
    }

    fn put_word(&mut self, input: &mut Vec<u8>) {
        if self.words.is_empty() {
            return self.set_number(input);
        }
        let index = self.below(self.words.len());
        let word = self.words[index].clone();
        let at = self.below(input.len() + 1);
        let over = if self.random().is_multiple_of(2) { (at + word.len()).min(input.len()) } else { at };
        input.splice(at..over, word);
    }

    /// A part of something `length` long, mostly a short one.
    fn part(&mut self, length: usize) -> (usize, usize) {
        let start = self.below(length);
        let most = if self.random().is_multiple_of(4) { length } else { 32 };
        let end = start + self.below(most.min(length - start) + 1);
        (start, end)
    }
}

/// The words of a libFuzzer dictionary: lines of `name="text"` or `"text"`, with `\\`, `\"` and `\xNN`.
pub(crate) fn dictionary(text: &str) -> Vec<Vec<u8>> {
    let quoted = |line: &str| {
        let line = line.trim();
        let start = line.find('"')? + 1;
        let end = line.rfind('"').filter(|&end| end >= start)?;
        (!line.starts_with('#')).then(|| unescaped(&line[start..end]))
    };
    text.lines().filter_map(quoted).collect()
}

fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(&byte) = bytes.get(at) {
        let hex = (byte == b'\\' && bytes.get(at + 1) == Some(&b'x')).then(|| text.get(at + 2..at + 4)).flatten();
        if let Some(value) = hex.and_then(|h| u8::from_str_radix(h, 16).ok()) {
            out.push(value);
            at += 4;
        } else if byte == b'\\' && at + 1 < bytes.len() {
            out.push(bytes[at + 1]);
            at += 2;
        } else {
            out.push(byte);
            at += 1;
        }
    }
    out
}
