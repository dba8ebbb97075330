//! Known answers.

use super::*;

#[test]
fn xts_128_matches_the_published_vectors() {
    // IEEE 1619, vector 4: keys, data unit 0, the bytes 0 to 255 twice
    let first: [u8; 16] = [0x27, 0x18, 0x28, 0x18, 0x28, 0x45, 0x90, 0x45, 0x23, 0x53, 0x60, 0x28, 0x74, 0x71, 0x35, 0x26];
    let second: [u8; 16] = [0x31, 0x41, 0x59, 0x26, 0x53, 0x58, 0x97, 0x93, 0x23, 0x84, 0x62, 0x64, 0x33, 0x83, 0x27, 0x95];
    let start: [u8; 16] = [0x27, 0xa7, 0x47, 0x9b, 0xef, 0xa1, 0xd4, 0x76, 0x48, 0x9f, 0x30, 0x8c, 0xd4, 0xcf, 0xa6, 0xe2];
    let cipher = SectorCipher::new(Method::Xts128, &[first, second].concat()).unwrap();
    let mut sector = vec![0; 512];
    sector[..16].copy_from_slice(&start);
    cipher.decrypt(&mut sector, 0, 512);
    assert_eq!(sector[..16], (0..16).collect::<Vec<u8>>());
}

#[test]
fn a_run_decrypts_like_its_sectors_one_by_one() {
    for method in Method::ALL {
        let key: Vec<u8> = (0..64).take(method.key_length()).collect();
        let cipher = SectorCipher::new(method, &key).unwrap();
        for sector_size in [512_u32, 4096] {
            let mut run: Vec<u8> = (0..3 * 4096_u32).map(|i| u8::try_from(i * 31 % 251).unwrap()).collect();
            let mut single = run.clone();
            let position = 7 * u64::from(sector_size) + (1 << 41);
            cipher.decrypt(&mut run, position, sector_size);
            for (number, sector) in single.chunks_mut(sector_size as usize).enumerate() {
                cipher.decrypt(sector, position + number as u64 * u64::from(sector_size), sector_size);
            }
            assert_eq!(run, single, "{method}, sectors of {sector_size}");
        }
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for method in Method::ALL {
        assert!(SectorCipher::new(method, &[0; 24]).is_none());
    }
}
