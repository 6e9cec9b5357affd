use super::*;

#[test]
fn dump() {
    let s = Rendered::new(&Options::default(), Split::Train);
    let t = std::time::Instant::now();
    let s2 = Rendered::new(&Options::default(), Split::Test);
    println!("1000 images {:?}", t.elapsed());
    std::fs::write("/tmp/enc/train.bin", s.block().unwrap()).unwrap();
    std::fs::write("/tmp/enc/test.bin", s2.block().unwrap()).unwrap();
    std::fs::write("/tmp/enc/train.lab", s.labels.iter().map(|&x| x as u8).collect::<Vec<_>>()).unwrap();
    std::fs::write("/tmp/enc/test.lab", s2.labels.iter().map(|&x| x as u8).collect::<Vec<_>>()).unwrap();
}
