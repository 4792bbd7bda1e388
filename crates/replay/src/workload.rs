//! One workload of one lane: its pods, the service in them, and what a source knows of it.

use floorkeeper_sim::scenario::Series;
use floorkeeper_sim::{Inputs, Outputs, Service, ServiceSpec};

use crate::peers::{CpuSample, Sight};
use crate::pipeline::{Found, Pipeline};
use crate::pods::Pods;
use crate::sky::Sky;

#[derive(Clone, Debug)]
pub(crate) struct Workload {
    pub(crate) pods: Pods,
    pub(crate) pipeline: Pipeline,
    service: Service,
    out: Outputs,
}

impl Workload {
    pub(crate) fn new(spec: &ServiceSpec, replicas: u32, start: f64, epoch: f64, remembers: bool) -> Self {
        Self {
            pods: Pods::new(replicas, spec.start_delay * 60.0, start),
            pipeline: Pipeline::new(epoch, remembers),
            service: Service::new(spec.clone()),
            out: Outputs::default(),
        }
    }

    /// The tick begins: pods start, targets are scraped.
    pub(crate) fn begin(&mut self, sky: &Sky, cpu: bool) {
        self.pods.live(sky);
        self.pipeline.scrape(sky, self.pods.ready());
        if cpu {
            let share = self.out.cpu * sky.cpu.factor;
            let known = sky.cpu.missing < 1.0;
            let window = sky.lasts;
            self.pods.metrics(known.then_some(CpuSample { share, at: sky.now, window }), sky.now);
        }
    }

    /// The tick passes: the service works.
    pub(crate) fn end(&mut self, sky: &Sky) {
        let inputs = Inputs { ready: self.pods.served(), ..sky.inputs };
        self.out = self.service.step(&inputs, sky.lasts);
        self.pipeline.count(&self.out, sky.lasts);
    }

    /// As a peer sees it; `base` has what is the same for all.
    pub(crate) fn sight<'a>(&'a self, sky: &Sky, base: &Sight<'a>) -> Sight<'a> {
        Sight {
            now: sky.now,
            wanted: self.pods.wanted(),
            pods: self.pods.pods(),
            load: self.found(Series::Edge, sky).for_peer(sky),
            app: self.found(Series::App, sky).for_peer(sky),
            ..*base
        }
    }

    /// What a query for this series finds.
    pub(crate) fn found(&self, series: Series, sky: &Sky) -> Found {
        match series {
            Series::App => self.pipeline.app.found(sky.now, &sky.app),
            Series::Edge | Series::Errors | Series::Cpu => self.pipeline.edge.found(sky.now, &sky.edge),
        }
    }
}
