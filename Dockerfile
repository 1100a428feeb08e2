# syntax=docker/dockerfile:1
# docker build -t portcullis .
# docker run -p 8080:8080 -v ./portcullis.yaml:/etc/portcullis/portcullis.yaml:ro -v portcullis:/var/lib/portcullis portcullis
#
# Relative paths in the configuration start at its folder, which is read-only here: put the stores under the volume, as in
#   stores: { users: "sqlite:/var/lib/portcullis/portcullis.db", sessions: "sqlite:/var/lib/portcullis/portcullis.db" }

FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/source/target \
    cargo build --locked --release && cp target/release/portcullis /portcullis

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="Portcullis" \
      org.opencontainers.image.description="A login in front of any application: reverse proxy, forward-auth target and accounts in one binary" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
# The certificate authorities that upstreams on https are verified against.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin portcullis \
    && install -d -o portcullis -g portcullis -m 0700 /var/lib/portcullis
COPY --from=build /portcullis /usr/local/bin/portcullis
COPY LICENSE /usr/share/doc/portcullis/LICENSE
USER 10001:10001
WORKDIR /var/lib/portcullis
VOLUME /var/lib/portcullis
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD ["portcullis", "healthcheck"]
ENTRYPOINT ["portcullis"]
CMD ["serve", "--config", "/etc/portcullis/portcullis.yaml"]
