//! Who started this process, and which of how many it is: one function of the environment.

use crate::native::c10d::Server;

/// This process among those of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Its number, from 0.
    pub rank: usize,
    /// Number of all processes.
    pub size: usize,
    /// Its number on this machine, from 0.
    pub local_rank: usize,
    /// Number of processes on this machine.
    pub local_size: usize,
    /// Where process 0 is reached.
    pub host: String,
    /// The port there.
    pub port: u16,
    /// Who serves the store.
    pub server: Server,
    /// Which start of the same processes this is, where a launcher restarts them.
    pub attempt: String,
    /// Who says so, for people.
    pub by: &'static str,
}

/// Processes that this one is to start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fleet {
    /// How many, on this machine.
    pub processes: usize,
    /// The rank of the first one.
    pub first: usize,
    /// Number of all processes, with those of other machines.
    pub size: usize,
    /// Where process 0 is reached; none: all are here.
    pub master: Option<(String, u16)>,
}

/// What a command is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Start {
    /// The only process.
    Alone,
    /// One of several.
    Member(Launch),
    /// The one that starts the others.
    Fleet(Fleet),
}

/// What the command line asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Processes on this machine.
    pub processes: Option<usize>,
    /// Number of machines, and the number of this one.
    pub nodes: Option<(usize, usize)>,
    /// Where process 0 is reached, as `HOST:PORT`.
    pub master: Option<String>,
}

/// Variables or flags that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LaunchError(String);

fn wrong<T>(message: impl Into<String>) -> Result<T, LaunchError> {
    Err(LaunchError(message.into()))
}

/// The port that torch's own launchers use.
const PORT: u16 = 29500;

/// Reads the environment (`variable`) and what is `asked` for: torchrun's variables (PyTorchJob's too), else those of a
/// Slurm step, else Open MPI's, else flags alone. `--processes 1` is one process whatever the environment says.
///
/// # Errors
/// Variables that are missing or no numbers; flags and variables that contradict each other.
pub fn start(variable: &dyn Fn(&str) -> Option<String>, asked: &Asked) -> Result<Start, LaunchError> {
    let variables = Variables(variable);
    if asked.processes == Some(1) && asked.nodes.is_none() {
        return Ok(Start::Alone);
    }
    let several = asked.processes.filter(|processes| *processes > 1 || asked.nodes.is_some());
    let member = match (variables.torchrun()?, several) {
        (Some(pod), Some(processes)) if variables.text("LOCAL_RANK").is_none() => {
            return fleet(processes, (pod.size, pod.rank), Some((pod.host, pod.port)));
        }
        (Some(member), _) => Some(member),
        (None, _) => match variables.slurm()? {
            Some(member) => Some(member),
            None => variables.open_mpi()?,
        },
    };
    match (member, several) {
        (Some(member), Some(processes)) if member.size > 1 => wrong(format!(
            "`--processes {processes}`: this is process {} of {} already ({}); leave the flag out, or start the command by \
             itself",
            member.rank, member.size, member.by
        )),
        (Some(member), None) if member.size > 1 => Ok(Start::Member(member)),
        (_, None) => Ok(Start::Alone),
        (_, Some(processes)) => {
            let master = asked.master.as_deref().map(host_and_port).transpose()?;
            fleet(processes, asked.nodes.unwrap_or((1, 0)), master)
        }
    }
}

fn fleet(processes: usize, (nodes, node): (usize, usize), master: Option<(String, u16)>) -> Result<Start, LaunchError> {
    if node >= nodes {
        return wrong(format!("`--node {node}`: there are {nodes} machines, numbered from 0"));
    }
    if nodes > 1 && master.is_none() {
        return wrong("`--nodes`: name where process 0 is reached as well, `--master HOST:PORT`");
    }
    let master = master.filter(|_| nodes > 1);
    Ok(Start::Fleet(Fleet { processes, first: node * processes, size: nodes * processes, master }))
}

fn host_and_port(text: &str) -> Result<(String, u16), LaunchError> {
    match text.rsplit_once(':').map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) if !host.is_empty() => Ok((host.to_owned(), port)),
        _ => wrong(format!("`--master {text}`: expected a host and a port, such as `node0:{PORT}`")),
    }
}

struct Variables<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Variables<'_> {
    fn text(&self, name: &str) -> Option<String> {
        (self.0)(name).filter(|value| !value.is_empty())
    }

    fn number<T: std::str::FromStr>(&self, name: &str) -> Result<Option<T>, LaunchError> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match text.trim().parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => wrong(format!("the variable {name} is `{text}`, expected a number")),
        }
    }

    fn needed<T: std::str::FromStr>(&self, name: &str, by: &str) -> Result<T, LaunchError> {
        match self.number(name)? {
            Some(number) => Ok(number),
            None => {
                wrong(format!("{by} has set its other variables, but {name} is missing; `--processes 1` trains alone"))
            }
        }
    }

    fn checked(&self, launch: Launch) -> Result<Option<Launch>, LaunchError> {
        let Launch { rank, size, local_rank, local_size, by, .. } = &launch;
        if rank >= size || local_rank >= local_size || local_size > size {
            return wrong(format!(
                "{by}: process {rank} of {size}, {local_rank} of {local_size} on this machine, cannot be; see its variables"
            ));
        }
        Ok(Some(launch))
    }

    fn server(&self, rank: usize) -> Result<Server, LaunchError> {
        Ok(match self.number("MASTER_LISTEN_FD")? {
            _ if rank != 0 || self.text("TORCHELASTIC_USE_AGENT_STORE").as_deref() == Some("True") => Server::Elsewhere,
            Some(fd) => Server::At(fd),
            None => Server::Here,
        })
    }

    /// torchrun, our own `--processes`, and whatever else sets RANK and WORLD_SIZE.
    fn torchrun(&self) -> Result<Option<Launch>, LaunchError> {
        let by = "torchrun's variables";
        let (Some(rank), Some(size)) = (self.number("RANK")?, self.number("WORLD_SIZE")?) else { return Ok(None) };
        let Some(host) = self.text("MASTER_ADDR") else {
            return if size > 1 {
                wrong(format!("{by}: MASTER_ADDR is missing; `--processes 1` trains alone"))
            } else {
                Ok(None)
            };
        };
        self.checked(Launch {
            rank,
            size,
            local_rank: self.number("LOCAL_RANK")?.unwrap_or(0),
            local_size: self.number("LOCAL_WORLD_SIZE")?.unwrap_or(1),
            host,
            port: self.number("MASTER_PORT")?.unwrap_or(PORT),
            server: self.server(rank)?,
            attempt: self.text("TORCHELASTIC_RESTART_COUNT").unwrap_or_default(),
            by,
        })
    }

    /// A step that `srun` started. SLURM_NTASKS is no sign of one: it is set in a batch script too, which runs once.
    fn slurm(&self) -> Result<Option<Launch>, LaunchError> {
        let by = "the Slurm step";
        let Some(size) = self.number::<usize>("SLURM_STEP_NUM_TASKS")?.filter(|size| *size > 1) else {
            return Ok(None);
        };
        let rank = self.needed("SLURM_PROCID", by)?;
        let job: u64 = self.number("SLURM_JOB_ID")?.unwrap_or(0);
        let nodes = self.text("SLURM_STEP_NODELIST");
        let Some(host) = self.text("MASTER_ADDR").or_else(|| nodes.as_deref().and_then(first_host)) else {
            return wrong(format!("{by}: neither SLURM_STEP_NODELIST nor MASTER_ADDR says where process 0 is"));
        };
        let node: usize = self.number("SLURM_NODEID")?.unwrap_or(0);
        let tasks = self.text("SLURM_STEP_TASKS_PER_NODE");
        let local_size = tasks.as_deref().and_then(|tasks| tasks_of(tasks, node));
        let local_rank = self.needed("SLURM_LOCALID", by)?;
        self.checked(Launch {
            rank,
            size,
            local_rank,
            local_size: local_size.unwrap_or(local_rank + 1),
            host,
            // Of the ports that are nobody's, one that steps of other jobs do not take.
            port: self.number("MASTER_PORT")?.unwrap_or(20_000 + (job % 10_000) as u16),
            server: self.server(rank)?,
            attempt: self.text("SLURM_STEP_ID").unwrap_or_default(),
            by,
        })
    }

    fn open_mpi(&self) -> Result<Option<Launch>, LaunchError> {
        let by = "mpirun";
        let Some(size) = self.number::<usize>("OMPI_COMM_WORLD_SIZE")?.filter(|size| *size > 1) else {
            return Ok(None);
        };
        let rank = self.needed("OMPI_COMM_WORLD_RANK", by)?;
        let local_size = self.number("OMPI_COMM_WORLD_LOCAL_SIZE")?.unwrap_or(1);
        let here = (local_size == size).then(|| "127.0.0.1".to_owned());
        let Some(host) = self.text("MASTER_ADDR").or(here) else {
            return wrong(format!(
                "{by}: export where process 0 is reached, `-x MASTER_ADDR=HOST -x MASTER_PORT={PORT}`"
            ));
        };
        self.checked(Launch {
            rank,
            size,
            local_rank: self.needed("OMPI_COMM_WORLD_LOCAL_RANK", by)?,
            local_size,
            host,
            port: self.number("MASTER_PORT")?.unwrap_or(PORT),
            server: self.server(rank)?,
            attempt: String::new(),
            by,
        })
    }
}

/// The first of a list as Slurm writes it: `gpu[03-07,9],login`.
fn first_host(list: &str) -> Option<String> {
    let name: String = list.chars().take_while(|c| !"[,".contains(*c)).collect();
    let range = list[name.len()..].strip_prefix('[').unwrap_or_default();
    let number: String = range.chars().take_while(char::is_ascii_digit).collect();
    let after = range.split_once(']').map_or("", |(_, after)| after);
    let suffix: String = after.chars().take_while(|c| *c != ',').collect();
    let host = format!("{name}{number}{suffix}");
    (!host.is_empty()).then_some(host)
}

/// Tasks of one node in a list as Slurm writes it: `8(x2),4`.
fn tasks_of(list: &str, node: usize) -> Option<usize> {
    let mut left = node;
    for group in list.split(',') {
        let (tasks, times) = match group.split_once("(x") {
            Some((tasks, times)) => (tasks, times.strip_suffix(')')?.parse::<usize>().ok()?),
            None => (group, 1),
        };
        if left < times {
            return tasks.parse().ok();
        }
        left -= times;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(environment: &str, asked: &Asked) -> Result<Start, LaunchError> {
        let pairs: Vec<(&str, &str)> = environment.split_whitespace().filter_map(|pair| pair.split_once('=')).collect();
        start(&|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()), asked)
    }

    fn processes(processes: usize) -> Asked {
        Asked { processes: Some(processes), ..Asked::default() }
    }

    const TORCHRUN: &str = "RANK=3 WORLD_SIZE=16 LOCAL_RANK=3 LOCAL_WORLD_SIZE=8 MASTER_ADDR=10.0.0.1 MASTER_PORT=4000 \
                            TORCHELASTIC_USE_AGENT_STORE=True TORCHELASTIC_RESTART_COUNT=1";
    const SLURM: &str = "SLURM_JOB_ID=123456 SLURM_STEP_ID=0 SLURM_STEP_NUM_TASKS=12 SLURM_PROCID=9 SLURM_LOCALID=1 \
                         SLURM_NODEID=1 SLURM_STEP_NODELIST=gpu[03-04] SLURM_STEP_TASKS_PER_NODE=8,4";
    const BATCH_SCRIPT: &str = "SLURM_JOB_ID=7 SLURM_NTASKS=8 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NODEID=0";
    const MPI: &str = "OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4 OMPI_COMM_WORLD_LOCAL_RANK=1 \
                       OMPI_COMM_WORLD_LOCAL_SIZE=4";
    const POD: &str = "RANK=1 WORLD_SIZE=2 MASTER_ADDR=job-0 MASTER_PORT=23456";

    #[test]
    fn each_launcher_is_understood() {
        type Facts<'a> = (usize, usize, usize, usize, &'a str, u16, Server);
        let cases: [(&str, Facts); 6] = [
            (TORCHRUN, (3, 16, 3, 8, "10.0.0.1", 4000, Server::Elsewhere)),
            (SLURM, (9, 12, 1, 4, "gpu03", 23456, Server::Elsewhere)),
            (MPI, (1, 4, 1, 4, "127.0.0.1", 29500, Server::Elsewhere)),
            (POD, (1, 2, 0, 1, "job-0", 23456, Server::Elsewhere)),
            ("RANK=0 WORLD_SIZE=2 MASTER_ADDR=a", (0, 2, 0, 1, "a", 29500, Server::Here)),
            (
                "RANK=0 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=2 MASTER_ADDR=a MASTER_PORT=9 MASTER_LISTEN_FD=5",
                (0, 2, 0, 2, "a", 9, Server::At(5)),
            ),
        ];
        for (environment, (rank, size, local_rank, local_size, host, port, server)) in cases {
            match of(environment, &Asked::default()) {
                Ok(Start::Member(launch)) => {
                    let found = (launch.rank, launch.size, launch.local_rank, launch.local_size, launch.host.as_str());
                    assert_eq!(found, (rank, size, local_rank, local_size, host), "{environment}");
                    assert_eq!((launch.port, launch.server), (port, server), "{environment}");
                }
                other => panic!("{environment}: {other:?}"),
            }
        }
    }

    #[test]
    fn nothing_is_waited_for_that_nobody_started() {
        let one_task = "SLURM_STEP_NUM_TASKS=1 SLURM_PROCID=0 SLURM_LOCALID=0";
        for environment in
            ["", BATCH_SCRIPT, one_task, "RANK=0 WORLD_SIZE=1 MASTER_ADDR=a", "WORLD_SIZE=8", "RANK=0 WORLD_SIZE=1"]
        {
            assert_eq!(of(environment, &Asked::default()), Ok(Start::Alone), "{environment}");
        }
        for environment in [TORCHRUN, SLURM, MPI] {
            assert_eq!(of(environment, &processes(1)), Ok(Start::Alone), "{environment}");
        }
    }

    #[test]
    fn processes_are_started_here_and_multiply_pods_and_machines() {
        let fleet = |processes, first, size, master: Option<(&str, u16)>| {
            let master = master.map(|(host, port)| (host.to_owned(), port));
            Ok(Start::Fleet(Fleet { processes, first, size, master }))
        };
        assert_eq!(of("", &processes(8)), fleet(8, 0, 8, None));
        assert_eq!(of(BATCH_SCRIPT, &processes(8)), fleet(8, 0, 8, None));
        assert_eq!(of(POD, &processes(8)), fleet(8, 8, 16, Some(("job-0", 23456))));
        let job = Asked { processes: Some(8), nodes: Some((2, 1)), master: Some("job-0.svc:29500".into()) };
        assert_eq!(of("", &job), fleet(8, 8, 16, Some(("job-0.svc", 29500))));
    }

    #[test]
    fn what_does_not_go_together_is_refused_by_name() {
        let nodes = |nodes, node, master: &str| Asked {
            processes: Some(2),
            nodes: Some((nodes, node)),
            master: Some(master.to_owned()).filter(|text| !text.is_empty()),
        };
        for (environment, asked, part) in [
            (TORCHRUN, processes(8), "`--processes 8`: this is process 3 of 16 already (torchrun's variables)"),
            (SLURM, processes(2), "the Slurm step"),
            ("RANK=0 WORLD_SIZE=2", Asked::default(), "MASTER_ADDR is missing"),
            ("RANK=x WORLD_SIZE=2", Asked::default(), "RANK is `x`, expected a number"),
            ("RANK=2 WORLD_SIZE=2 MASTER_ADDR=a", Asked::default(), "process 2 of 2"),
            ("SLURM_STEP_NUM_TASKS=4", Asked::default(), "SLURM_PROCID is missing"),
            ("OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0", Asked::default(), "-x MASTER_ADDR=HOST"),
            ("", nodes(2, 2, "a:1"), "`--node 2`"),
            ("", nodes(2, 0, ""), "`--master HOST:PORT`"),
            ("", nodes(2, 0, "a"), "`--master a`"),
        ] {
            let error = of(environment, &asked).unwrap_err().to_string();
            assert!(error.contains(part), "{environment}: {error}");
        }
    }

    #[test]
    fn lists_of_slurm_are_read() {
        for (list, host) in [("a", "a"), ("a,b", "a"), ("gpu[03-07,9],login", "gpu03"), ("r[1,3]n2,x", "r1n2")] {
            assert_eq!(first_host(list).as_deref(), Some(host), "{list}");
        }
        assert_eq!([0, 1, 2, 3].map(|node| tasks_of("8(x2),4", node)), [Some(8), Some(8), Some(4), None]);
    }
}
