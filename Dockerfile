# One build, three small images: --target ingress, --target worker, --target ops.
# Dependencies and build results stay in BuildKit's caches, so that a change of our code compiles our code only. The cache
# belongs to the machine, not to a checkout: what it has of other sources than these is older than they are, and compiled anew.
ARG RUST=1.95.0

FROM rust:${RUST}-slim-bookworm AS build
ARG RUST
# The image's own compiler: rust-toolchain.toml would have clippy and rustfmt fetched too.
ENV RUSTUP_TOOLCHAIN=${RUST}
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    sources=$(find . -path ./target -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum) \
    && if [ "$sources" != "$(cat target/sources 2>/dev/null)" ]; then \
         find . -path ./target -prune -o -type f -exec touch {} + ; \
       fi \
    && rm -f target/sources \
    && cargo build --release --locked -p passerelle-ingress -p passerelle-worker -p passerelle-ops \
    && printf '%s\n' "$sources" >target/sources \
    && mkdir /out \
    && cp target/release/passerelle-ingress target/release/passerelle-worker target/release/passerelle /out/

FROM debian:bookworm-slim AS base
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --home-dir /var/lib/passerelle --create-home passerelle
WORKDIR /etc/passerelle
COPY bridge.toml ./
COPY templates ./templates
ENV BRIDGE_FILE=/etc/passerelle/bridge.toml
USER passerelle

FROM base AS ingress
COPY --from=build /out/passerelle-ingress /usr/local/bin/
ENV INGRESS_BIND=0.0.0.0:8080 INGRESS_SPOOL_DIR=/var/lib/passerelle/spool
EXPOSE 8080
ENTRYPOINT ["passerelle-ingress"]

FROM base AS worker
COPY --from=build /out/passerelle-worker /usr/local/bin/
ENV WORKER_HEALTH_BIND=0.0.0.0:8081
EXPOSE 8081
ENTRYPOINT ["passerelle-worker"]

FROM base AS ops
COPY --from=build /out/passerelle /usr/local/bin/
ENTRYPOINT ["passerelle"]
