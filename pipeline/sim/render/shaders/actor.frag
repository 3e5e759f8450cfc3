in vec3 at;
in vec3 across;
in vec3 base;
flat in float kind;
in float sunlight;
in vec3 lamplight;
in float clear;
flat in uint identity;
layout(location = 0) out vec4 color;
layout(location = 1) out uint owner;

void main() {
    owner = identity;
    vec3 way = normalize(at - eye);
    vec3 n = normalize(across);
    if (dot(n, way) > 0.0) n = -n;
    vec3 shine = base;
    if (kind < 0.5) {
        float gloss = kind * 2.0;
        float dim = mix(0.45, 1.0, smoothstep(-0.1, 0.7, at.z));
        vec3 light = ambient(n.z) * dim + sun_color * max(dot(n, sun), 0.0) * sunlight + lamplight;
        vec3 mirror = reflect(way, n);
        float edge = 1.0 + dot(n, way);
        edge *= edge;
        edge *= edge;
        float horizon = smoothstep(-0.12, 0.22, mirror.z);
        vec3 world = mix(bounce_color * 0.5, sky_color * 1.15, horizon);
        float glint = max(dot(mirror, sun), 0.0);
        glint *= glint; glint *= glint; glint *= glint;
        glint *= glint; glint *= glint;
        glint *= glint * sunlight;
        float reach = gloss * (0.08 + 0.55 * edge);
        shine = base * light * (1.0 - reach) + world * reach + sun_color * glint * gloss * gloss * 1.4;
    } else {
        shine = base * (kind - 0.5) * 2.0 + base * ambient(n.z) * 0.5;
    }
    color = vec4(sqrt(clamp(mix(haze_color, shine, clear), 0.0, 1.0)), 1.0);
}
