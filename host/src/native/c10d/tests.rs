use super::*;
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use tch::{Device, Kind, Tensor, no_grad};

const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a world of threads, each with its rank, and returns what each came to.
fn world<T: Send>(size: usize, of: impl Fn(usize, &Store, &Group) -> T + Sync) -> Vec<T> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, fd) = (listener.local_addr().unwrap(), listener.as_raw_fd());
    let member = |rank: usize| {
        let server = if rank == 0 { Server::At(fd) } else { Server::Elsewhere };
        let store = Store::open("127.0.0.1", address.port(), server, PATIENCE).unwrap();
        let group = Group::join(&store, "test", (rank, size), Some(address), PATIENCE).unwrap();
        let result = of(rank, &store, &group);
        // The one with the store stays until all are done.
        store.add("done", 1).unwrap();
        while rank == 0 && store.add("done", 0).unwrap() < size as i64 {
            std::thread::yield_now();
        }
        result
    };
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..size).map(|rank| scope.spawn(move || member(rank))).collect::<Vec<_>>();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    // The store has closed the socket.
    std::mem::forget(listener);
    results
}

#[test]
fn collectives_and_texts_reach_all() {
    let found = world(3, |rank, store, group| {
        assert_eq!(store.claim("first", &format!("{rank}")).unwrap(), store.get("first").unwrap());
        assert!(!store.has("never").unwrap());
        assert!(!store.wait("never", Duration::from_millis(20)).unwrap());
        let own = Tensor::from_slice(&[rank as f32, 10.0]).view([1, 2]);
        let gathered = group.gather(&own).unwrap();
        let mut sum = own.copy();
        group.sum(&mut sum).unwrap();
        let mut first = own.copy() + 5.0;
        group.broadcast(&mut first).unwrap();
        let largest = group.max(Tensor::from_slice(&[rank as i64, -(rank as i64)])).unwrap().wait().unwrap();
        let values = |t: &Tensor| Vec::<f64>::try_from(t.to_kind(Kind::Double).reshape([-1])).unwrap();
        [values(&gathered), values(&sum), values(&first), values(&largest)]
    });
    for values in found {
        assert_eq!(values, [vec![0.0, 10.0, 1.0, 10.0, 2.0, 10.0], vec![3.0, 30.0], vec![5.0, 15.0], vec![2.0, 0.0]]);
    }
}

/// Output, running mean and variance, and gradients of input, scale and shift of a training pass over these rows.
fn batch_norm(x: &Tensor, weights: &Tensor, affine: bool) -> [Tensor; 6] {
    let channels = x.size()[1];
    let options = (Kind::Double, Device::Cpu);
    let x = x.copy().set_requires_grad(true);
    let scale = (Tensor::arange(channels, options) + 0.5).set_requires_grad(true);
    let shift = Tensor::linspace(-1, 1, channels, options).set_requires_grad(true);
    let (mean, var) = (Tensor::zeros(channels, options), Tensor::ones(channels, options));
    let (weight, bias) = if affine { (Some(&scale), Some(&shift)) } else { (None, None) };
    let y = x.f_batch_norm(weight, bias, Some(&mean), Some(&var), true, 0.1, 1e-5, true).unwrap();
    (&y * weights).sum(Kind::Double).backward();
    let gradient = |t: &Tensor| if t.grad().defined() { t.grad() } else { t.zeros_like().detach() };
    [y.detach(), mean, var, gradient(&x), gradient(&scale), gradient(&shift)]
}

#[test]
fn batch_norm_of_uneven_shares_is_that_of_all_rows() {
    for (shape, affine) in
        [(vec![12, 5, 4, 3], true), (vec![12, 5], true), (vec![12, 5], false), (vec![12, 5, 7], true)]
    {
        let options = (Kind::Double, Device::Cpu);
        let elements: i64 = shape.iter().product();
        let x = (Tensor::arange(elements, options) * 0.37).sin().view(shape.as_slice()) * 3.0 + 1.0;
        let weights = (Tensor::arange(elements, options) * 0.73).cos().view(shape.as_slice());
        let expected = batch_norm(&x, &weights, affine);
        let starts = [0, 2, 7, 12];
        let parts: Vec<[Tensor; 2]> = (0..3)
            .map(|rank| [&x, &weights].map(|t| t.narrow(0, starts[rank], starts[rank + 1] - starts[rank]).copy()))
            .collect();
        let parts = std::sync::Mutex::new(parts);
        let found = world(3, |rank, _, group| {
            let [x, weights] = parts.lock().unwrap()[rank].each_ref().map(Tensor::shallow_clone);
            let _synchronised = Synchronised::over(group).unwrap();
            batch_norm(&x, &weights, affine)
        });
        let rows = |place: usize| Tensor::cat(&found.iter().map(|of| &of[place]).collect::<Vec<_>>(), 0);
        let summed = |place: usize| found.iter().fold(expected[place].zeros_like(), |sum, of| sum + &of[place]);
        let first = |place: usize| found[0][place].shallow_clone();
        let all = [rows(0), first(1), first(2), rows(3), summed(4), summed(5)];
        for (place, (found, expected)) in all.iter().zip(&expected).enumerate() {
            let off = (found - expected).abs().max().double_value(&[]);
            assert!(off <= 1e-12, "{shape:?}, affine {affine}, {place}: off by {off:e}");
        }
    }
}

/// As under autocast: input and output in bfloat16, scale, shift and statistics in float32. What is expected was computed by
/// PyTorch 2.11 in float64, `batch_norm` over all five rows and its gradients for the weights `W`.
#[test]
fn batch_norm_of_bfloat16_is_that_of_all_rows_rounded_once() {
    const X: [f64; 10] = [1.5, -2.0, 0.25, 4.0, 3.0, -1.0, -0.75, 0.5, 2.25, 7.0];
    const W: [f64; 10] = [1.0, 0.5, -2.0, 0.25, 0.5, 1.0, 3.0, -1.0, 0.75, 2.0];
    const Y: [f64; 10] = [
        -0.907471102,
        -1.411348299,
        -1.370115591,
        1.282730024,
        -0.352297716,
        -0.962335246,
        -1.740231182,
        -0.288815665,
        -0.629884409,
        2.629769186,
    ];
    const OF_X: [f64; 10] = [
        0.151088164,
        0.210524953,
        -1.066997146,
        -0.279526590,
        0.095316613,
        0.372065100,
        0.697389980,
        -0.620410578,
        0.123202389,
        0.317347115,
    ];
    let found = world(2, |rank, _, group| {
        let _synchronised = Synchronised::over(group).unwrap();
        let rows = |all: &[f64]| {
            let (from, to) = [(0, 4), (4, 10)][rank];
            Tensor::from_slice(&all[from..to]).view([-1, 2]).to_kind(Kind::BFloat16)
        };
        let learnt = |values: &[f32]| Tensor::from_slice(values).set_requires_grad(true);
        let (x, scale, shift) = (rows(&X).set_requires_grad(true), learnt(&[0.5, 1.5]), learnt(&[-1.0, 0.25]));
        let (mean, var) = (Tensor::from_slice(&[0f32, 0.0]), Tensor::from_slice(&[1f32, 1.0]));
        let y = x.f_batch_norm(Some(&scale), Some(&shift), Some(&mean), Some(&var), true, 0.1, 1e-5, true).unwrap();
        assert_eq!(y.kind(), Kind::BFloat16);
        (&y * rows(&W)).sum(Kind::Float).backward();
        let values = |t: &Tensor| Vec::<f64>::try_from(t.detach().to_kind(Kind::Double).reshape([-1])).unwrap();
        [values(&y), values(&x.grad()), values(&mean), values(&var), values(&scale.grad()), values(&shift.grad())]
    });
    let [first, second] = &found[..] else { panic!("two processes") };
    let close = |found: &[f64], expected: &[f64], relative: f64| {
        assert_eq!(found.len(), expected.len());
        let is_close = found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= relative * e.abs());
        assert!(is_close, "{found:?} and {expected:?}");
    };
    // Half of bfloat16's last place is at most 2⁻⁸ of a value.
    close(&[&first[0][..], &second[0]].concat(), &Y, 0.004);
    close(&[&first[1][..], &second[1]].concat(), &OF_X, 0.004);
    for of in &found {
        close(&of[2], &[0.125, 0.17], 1e-6);
        close(&of[3], &[1.128125, 2.295], 1e-6);
    }
    let sum = |place: usize| first[place].iter().zip(&second[place]).map(|(a, b)| a + b).collect::<Vec<_>>();
    close(&sum(4), &[-1.572991262, 2.342351431], 1e-5);
    close(&sum(5), &[3.25, 2.75], 1e-6);
}

#[test]
fn instance_norm_and_evaluation_are_left_alone() {
    let options = (Kind::Double, Device::Cpu);
    let none = || None::<Tensor>;
    let x = (Tensor::arange(2 * 3 * 8, options) * 0.4).sin().view([2, 3, 8]);
    let expected = [
        x.instance_norm(none(), none(), none(), none(), true, 0.1, 1e-5, true),
        x.batch_norm(
            none(),
            none(),
            Some(Tensor::zeros(3, options)),
            Some(Tensor::ones(3, options)),
            false,
            0.1,
            1e-5,
            true,
        ),
    ];
    let x = std::sync::Mutex::new(x);
    let found = world(2, |rank, _, group| {
        let _synchronised = Synchronised::over(group).unwrap();
        // Only one process calls them: a collective would wait for the other one.
        (rank == 0).then(|| {
            let x = x.lock().unwrap();
            let zero_one = || (Some(Tensor::zeros(3, options)), Some(Tensor::ones(3, options)));
            let (mean, var) = zero_one();
            [
                x.instance_norm(none(), none(), none(), none(), true, 0.1, 1e-5, true),
                x.batch_norm(none(), none(), mean, var, false, 0.1, 1e-5, true),
            ]
        })
    });
    assert_eq!(found[0].as_ref().unwrap(), &expected);
}

#[test]
fn gradients_are_summed_and_parameters_that_no_loss_reaches_keep_none() {
    let found = world(2, |rank, _, group| {
        let parameter = |value: f64| Tensor::from_slice(&[value, 2.0]).set_requires_grad(true);
        let (used, unused) = (parameter(1.0), parameter(3.0));
        let mut reducer = Reducer::new(group, &[used.shallow_clone(), unused.shallow_clone()]).unwrap();
        let mut gradients = Vec::new();
        for _ in 0..3 {
            super::super::lists::drop_gradients(&mut [used.shallow_clone(), unused.shallow_clone()]);
            // Two micro-batches, of which the first stays here until the second is summed.
            (&used * (rank as f64 + 1.0)).sum(Kind::Double).backward();
            let second = (&used * 10.0).sum(Kind::Double);
            reducer.arm(&second).unwrap();
            second.backward();
            assert!(!unused.grad().defined());
            gradients.push(Vec::<f64>::try_from(no_grad(|| used.grad().copy())).unwrap());
        }
        gradients
    });
    assert_eq!(found, vec![vec![vec![23.0, 23.0]; 3]; 2]);
}

#[test]
fn a_process_that_goes_away_is_an_error_for_the_others() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = listener.local_addr().unwrap().port();
    drop(listener);
    let error = Store::open("127.0.0.1", free, Server::Elsewhere, Duration::from_millis(200)).map(drop).unwrap_err();
    assert!(!error.to_string().contains("Exception raised from"), "{error}");
}
