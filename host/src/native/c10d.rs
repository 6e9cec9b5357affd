//! libtorch's own package for several processes, c10d, over Gloo: a store of texts, groups and their collectives, the
//! reducer of gradients, and batch norm over all processes.
//!
//! The C++ half is `native/world.cpp`.

use super::{NativeError, Pointer, Result, check, read_list, take_text};
use std::ffi::{CString, c_char, c_int};
use std::marker::PhantomData;
use std::net::SocketAddr;
use std::os::fd::RawFd;
use std::time::Duration;
use tch::Tensor;
use torch_sys::C_tensor;

/// What C++ holds; only pointers to it are seen here.
macro_rules! opaque {
    ($($name:ident),*) => { $(#[repr(C)] struct $name { _private: [u8; 0] })* };
}

opaque!(RawStore, RawGroup, RawWork, RawReducer);

unsafe extern "C" {
    fn world_is_broken() -> bool;
    fn world_store(
        host: *const c_char,
        port: u16,
        serve: bool,
        listen_fd: c_int,
        ms: i64,
        out: *mut *mut RawStore,
    ) -> *mut c_char;
    fn world_store_free(store: *mut RawStore);
    fn world_store_set(store: *mut RawStore, key: *const c_char, value: *const c_char) -> *mut c_char;
    fn world_store_get(store: *mut RawStore, key: *const c_char, out: *mut *mut c_char) -> *mut c_char;
    fn world_store_claim(
        store: *mut RawStore,
        key: *const c_char,
        value: *const c_char,
        out: *mut *mut c_char,
    ) -> *mut c_char;
    fn world_store_add(store: *mut RawStore, key: *const c_char, amount: i64, out: *mut i64) -> *mut c_char;
    fn world_store_has(store: *mut RawStore, key: *const c_char, out: *mut bool) -> *mut c_char;
    fn world_store_wait(store: *mut RawStore, key: *const c_char, ms: i64, out: *mut bool) -> *mut c_char;
    fn world_group(
        store: *mut RawStore,
        name: *const c_char,
        rank: c_int,
        size: c_int,
        hostname: *const c_char,
        ms: i64,
        out: *mut *mut RawGroup,
    ) -> *mut c_char;
    fn world_group_free(group: *mut RawGroup);
    fn world_gather(group: *mut RawGroup, rows: *const C_tensor, out: *mut Pointer) -> *mut c_char;
    fn world_sum(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_broadcast(group: *mut RawGroup, tensor: *const C_tensor) -> *mut c_char;
    fn world_max(group: *mut RawGroup, tensor: *const C_tensor, out: *mut *mut RawWork) -> *mut c_char;
    fn world_wait(work: *mut RawWork) -> *mut c_char;
    fn world_watch(group: *mut RawGroup, process: c_int) -> *mut c_char;
    fn world_synchronise(group: *mut RawGroup) -> *mut c_char;
    fn world_reducer(
        group: *mut RawGroup,
        parameters: *const Pointer,
        n: usize,
        out: *mut *mut RawReducer,
    ) -> *mut c_char;
    fn world_reducer_arm(reducer: *mut RawReducer, output: *const C_tensor) -> *mut c_char;
    fn world_reducer_free(reducer: *mut RawReducer) -> *mut c_char;
}

/// Whether a collective of this process has failed within a forward or a backward pass, whose error then is another
/// stage's.
pub fn is_broken() -> bool {
    // SAFETY: reads one atomic.
    unsafe { world_is_broken() }
}

fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| NativeError(format!("`{text:?}` has a NUL in it")))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Texts by key, which one process serves and all reach by TCP. Requests of one value follow each other.
pub struct Store(*mut RawStore);

// SAFETY: c10d's TCPStore guards its connection by a mutex.
unsafe impl Send for Store {}
// SAFETY: as above.
unsafe impl Sync for Store {}

/// Who serves a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// This process.
    Here,
    /// This process, at a socket that listens already.
    At(RawFd),
    /// Another process.
    Elsewhere,
}

impl Store {
    /// Serves or joins the store at `host` and `port`; waits `patience` for the server, and as long for each answer.
    ///
    /// # Errors
    /// A port in use, or no server.
    pub fn open(host: &str, port: u16, server: Server, patience: Duration) -> Result<Self> {
        let host = c_text(host)?;
        let (serve, fd) = match server {
            Server::Here => (true, -1),
            Server::At(fd) => (true, fd),
            Server::Elsewhere => (false, -1),
        };
        let mut out = std::ptr::null_mut();
        // SAFETY: the text and `out` outlive the call; on success `out` is a new store that only we own.
        unsafe { check(world_store(host.as_ptr(), port, serve, fd, milliseconds(patience), &mut out))? };
        Ok(Self(out))
    }

    /// Sets a value.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn set(&self, key: &str, value: &str) -> Result<()> {
        let (key, value) = (c_text(key)?, c_text(value)?);
        // SAFETY: the store is ours, the texts outlive the call.
        unsafe { check(world_store_set(self.0, key.as_ptr(), value.as_ptr())) }
    }

    /// A value, once there is one.
    ///
    /// # Errors
    /// A server that is gone, or none for as long as the store has patience.
    pub fn get(&self, key: &str) -> Result<String> {
        let (key, mut out) = (c_text(key)?, std::ptr::null_mut());
        // SAFETY: as in `set`; on success `out` is a text that the shim hands over.
        unsafe {
            check(world_store_get(self.0, key.as_ptr(), &mut out))?;
            Ok(take_text(out))
        }
    }

    /// Sets a value where there is none; returns the one that there is now.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn claim(&self, key: &str, value: &str) -> Result<String> {
        let (key, value, mut out) = (c_text(key)?, c_text(value)?, std::ptr::null_mut());
        // SAFETY: as in `get`.
        unsafe {
            check(world_store_claim(self.0, key.as_ptr(), value.as_ptr(), &mut out))?;
            Ok(take_text(out))
        }
    }

    /// Adds to a number, 0 at first, and returns it.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn add(&self, key: &str, amount: i64) -> Result<i64> {
        let (key, mut out) = (c_text(key)?, 0);
        // SAFETY: as in `set`; `out` outlives the call.
        unsafe { check(world_store_add(self.0, key.as_ptr(), amount, &mut out))? };
        Ok(out)
    }

    /// Whether there is a value.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn has(&self, key: &str) -> Result<bool> {
        let (key, mut out) = (c_text(key)?, false);
        // SAFETY: as in `add`.
        unsafe { check(world_store_has(self.0, key.as_ptr(), &mut out))? };
        Ok(out)
    }

    /// Whether there is a value within this time.
    ///
    /// # Errors
    /// A server that is gone.
    pub fn wait(&self, key: &str, time: Duration) -> Result<bool> {
        let (key, mut out) = (c_text(key)?, false);
        // SAFETY: as in `add`.
        unsafe { check(world_store_wait(self.0, key.as_ptr(), milliseconds(time), &mut out))? };
        Ok(out)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // SAFETY: the store is ours and not used again.
        unsafe { world_store_free(self.0) };
    }
}

/// Processes that compute together. A collective is called by all of them, in the same order.
pub struct Group(*mut RawGroup);

// SAFETY: Gloo's process group may be called from several threads.
unsafe impl Send for Group {}
// SAFETY: as above.
unsafe impl Sync for Group {}

impl Group {
    /// The group `name` of `size` processes, of which this is the one with `rank`, reached at `address`; none: at the network
    /// interface of `GLOO_SOCKET_IFNAME`. A collective fails after `timeout`.
    ///
    /// # Errors
    /// Processes that do not come, or cannot be reached.
    pub fn join(
        store: &Store,
        name: &str,
        (rank, size): (usize, usize),
        address: Option<SocketAddr>,
        timeout: Duration,
    ) -> Result<Self> {
        let name = c_text(name)?;
        let address = address.map(|address| c_text(&address.ip().to_string())).transpose()?;
        let hostname = address.as_ref().map_or(std::ptr::null(), |text| text.as_ptr());
        let mut out = std::ptr::null_mut();
        let (rank, size) = (rank as c_int, size as c_int);
        // SAFETY: store, texts and `out` outlive the call; on success `out` is a new group that only we own.
        unsafe { check(world_group(store.0, name.as_ptr(), rank, size, hostname, milliseconds(timeout), &mut out))? };
        Ok(Self(out))
    }

    /// The rows of all processes, those of rank 0 first; `rows` is `[n, …]`, alike everywhere.
    ///
    /// # Errors
    /// A process that is gone or does not answer in time.
    pub fn gather(&self, rows: &Tensor) -> Result<Tensor> {
        let mut out = std::ptr::null_mut();
        // SAFETY: group and tensor outlive the call; on success `out` is a new tensor that only we own.
        unsafe {
            check(world_gather(self.0, rows.as_ptr(), &mut out))?;
            Ok(Tensor::from_ptr(out))
        }
    }

    /// Replaces the tensor by its sum over the processes.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn sum(&self, tensor: &mut Tensor) -> Result<()> {
        // SAFETY: group and tensor outlive the call; the tensor is borrowed exclusively.
        unsafe { check(world_sum(self.0, tensor.as_mut_ptr())) }
    }

    /// Replaces the tensor by that of rank 0.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn broadcast(&self, tensor: &mut Tensor) -> Result<()> {
        // SAFETY: as in `sum`.
        unsafe { check(world_broadcast(self.0, tensor.as_mut_ptr())) }
    }

    /// Begins to replace the tensor by its largest values over the processes.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn max(&self, tensor: Tensor) -> Result<Pending> {
        let mut out = std::ptr::null_mut();
        // SAFETY: the group outlives the call, the tensor lives in the result; on success `out` is new work of ours.
        unsafe { check(world_max(self.0, tensor.as_ptr(), &mut out))? };
        Ok(Pending { tensor, work: out })
    }

    /// Waits until a process is gone, which is the error: nothing is ever sent.
    ///
    /// # Errors
    /// Its end, or that of the group's patience.
    pub fn watch(&self, process: usize) -> Result<()> {
        // SAFETY: the group outlives the call.
        unsafe { check(world_watch(self.0, process as c_int)) }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // SAFETY: the group is ours and not used again.
        unsafe { world_group_free(self.0) };
    }
}

/// A collective under way.
#[must_use = "a collective is waited for by all processes"]
pub struct Pending {
    tensor: Tensor,
    work: *mut RawWork,
}

impl Pending {
    /// What came of it.
    ///
    /// # Errors
    /// As [`Group::gather`].
    pub fn wait(self) -> Result<Tensor> {
        // SAFETY: the work is ours and not used again: `self` is consumed.
        unsafe { check(world_wait(self.work))? };
        Ok(self.tensor)
    }
}

/// While it lives, batch norms of this thread's training passes normalise by the rows of all processes.
#[must_use = "batch norms are synchronised until it is dropped"]
pub struct Synchronised<'a> {
    group: PhantomData<&'a Group>,
    // The scope is a thread's own state.
    not_send: PhantomData<*const ()>,
}

impl<'a> Synchronised<'a> {
    /// Begins.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn over(group: &'a Group) -> Result<Self> {
        // SAFETY: the group outlives the scope.
        unsafe { check(world_synchronise(group.0))? };
        Ok(Self { group: PhantomData, not_send: PhantomData })
    }
}

impl Drop for Synchronised<'_> {
    fn drop(&mut self) {
        // SAFETY: null ends the scope.
        if let Err(error) = unsafe { check(world_synchronise(std::ptr::null_mut())) } {
            tracing::error!("batch norms stay synchronised: {error}");
        }
    }
}

/// Sums gradients over the processes while a backward pass goes on, in buckets of 25 MiB, the first of 1 MiB.
pub struct Reducer(*mut RawReducer);

impl Reducer {
    /// Of parameters that require gradients, in the same order everywhere; at least one.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn new(group: &Group, parameters: &[Tensor]) -> Result<Self> {
        let list = read_list(parameters);
        let mut out = std::ptr::null_mut();
        // SAFETY: the parameters outlive the call, the group is shared with C++; on success `out` is ours.
        unsafe { check(world_reducer(group.0, list.as_ptr(), list.len(), &mut out))? };
        Ok(Self(out))
    }

    /// The backward pass from `output` that comes next leaves the sums, with what earlier ones have left here.
    ///
    /// # Errors
    /// Anything libtorch refuses.
    pub fn arm(&mut self, output: &Tensor) -> Result<()> {
        // SAFETY: reducer and tensor outlive the call.
        unsafe { check(world_reducer_arm(self.0, output.as_ptr())) }
    }
}

impl Drop for Reducer {
    fn drop(&mut self) {
        // SAFETY: the reducer is ours and not used again.
        if let Err(error) = unsafe { check(world_reducer_free(self.0)) } {
            tracing::debug!("the reducer of gradients: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;
    use std::os::fd::AsRawFd;
    use tch::{Device, Kind, no_grad};

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
            assert_eq!(
                values,
                [vec![0.0, 10.0, 1.0, 10.0, 2.0, 10.0], vec![3.0, 30.0], vec![5.0, 15.0], vec![2.0, 0.0]]
            );
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
                super::super::drop_gradients(&mut [used.shallow_clone(), unused.shallow_clone()]);
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
        let error =
            Store::open("127.0.0.1", free, Server::Elsewhere, Duration::from_millis(200)).map(drop).unwrap_err();
        assert!(!error.to_string().contains("Exception raised from"), "{error}");
    }
}
