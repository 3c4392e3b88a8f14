# The program as an image: built from this tree, run by nobody in particular.
#
#   docker build --tag cleave .
#   docker run --publish 127.0.0.1:8080:8080 --volume cleave:/var/lib/cleave cleave serve --demo

FROM rust:1.95.0-slim-bookworm AS build
WORKDIR /src
# The one that the image has, without what only a developer needs.
ENV RUSTUP_TOOLCHAIN=1.95.0
COPY . .
# What was compiled before is kept between builds, and so is what was fetched.
RUN --mount=type=cache,target=/src/target \
    --mount=type=cache,target=/usr/local/cargo/registry \
    cargo build --locked --release --package cleave --bin cleave \
    && install -D -m 755 target/release/cleave /out/cleave

FROM debian:bookworm-slim
# For databases and brokers whose certificates the public signs.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/cleave /usr/local/bin/cleave
COPY config/default.toml /etc/cleave/default.toml
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/cleave
USER 10001:10001
WORKDIR /var/lib/cleave
VOLUME /var/lib/cleave
ENV CLEAVE__DATA_DIR=/var/lib/cleave \
    CLEAVE__HTTP__LISTEN=0.0.0.0:8080 \
    CLEAVE__LOG__FORMAT=json
EXPOSE 8080
# Alive and not ready: a database that is away is no reason to start the program again.
HEALTHCHECK --interval=10s --timeout=6s --start-period=30s --retries=3 \
    CMD ["cleave", "health", "--live"]
# SIGTERM stops it in good order; give it 30 seconds (docker stop --time 30).
STOPSIGNAL SIGTERM
ENTRYPOINT ["cleave"]
CMD ["serve"]
