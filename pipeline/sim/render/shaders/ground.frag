uniform sampler2D surfaces;  // road, pavement, grass, plot
uniform sampler2D details;   // paint, distance to the road's edge (0.5 at it, 1 m a quarter), patches, stains
uniform vec4 extent;         // x, y of the map's corner and 1 / its size
uniform float wetness;
in vec3 at;
void main() {
    vec2 p = at.xy;
    vec2 uv = (p - extent.xy) * extent.zw;
    bool inside = all(greaterThan(uv, vec2(0.001))) && all(lessThan(uv, vec2(0.999)));
    vec4 what = inside ? texture(surfaces, uv) : vec4(0.0, 0.0, 1.0, 0.0);
    vec4 more = inside ? texture(details, uv) : vec4(0.0, 1.0, 0.0, 0.0);
    vec4 wide = texture(clouds, p * 0.021);
    vec4 mid = texture(clouds, p * 0.13);
    vec4 fine = texture(clouds, p * 1.7);
    float edge = (more.g - 0.5) * 4.0;          // metres outside the road

    float tone = 0.20 * (0.72 + 0.5 * wide.b) * (0.86 + 0.28 * mid.g) * (0.80 + 0.40 * fine.r);
    tone *= 1.0 - 0.42 * more.b;
    tone *= 1.0 - 0.45 * more.a * (0.6 + 0.8 * mid.r);
    vec3 road = tone * vec3(1.0, 0.985, 0.95);
    float dust = smoothstep(-0.9, -0.1, edge) * (0.35 + 0.65 * mid.b);
    road = mix(road, vec3(0.27, 0.24, 0.19) * (0.7 + 0.5 * fine.g), dust * 0.55);
    float worn = smoothstep(0.22, 0.5, mid.r * 0.55 + fine.g * 0.45 + 0.10);
    vec3 white = vec3(0.50, 0.50, 0.48) * (0.85 + 0.25 * fine.r);
    road = mix(road, white, more.r * (0.45 + 0.55 * worn));

    vec2 tile = p / 0.40;
    vec2 seam = abs(fract(tile) - 0.5);
    vec2 soft = fwidth(tile);
    float line = max(smoothstep(0.46 - soft.x, 0.49, seam.x), smoothstep(0.46 - soft.y, 0.49, seam.y));
    line *= clamp(1.2 - 1.6 * max(soft.x, soft.y), 0.0, 1.0);
    float which = texture(clouds, (floor(tile) + 0.5) / 64.0).a;
    vec3 slab = mix(vec3(0.36, 0.33, 0.30), vec3(0.42, 0.27, 0.21), step(0.56, which) * 0.7);
    slab *= (0.75 + 0.4 * mid.g) * (0.88 + 0.24 * fine.r) * (1.0 - 0.4 * line);
    float kerb = smoothstep(0.30, 0.26, edge);
    float joint = abs(fract((p.x + p.y) * 0.7) - 0.5);
    vec3 stone = vec3(0.46, 0.45, 0.42) * (0.8 + 0.3 * mid.r) * (0.9 + 0.2 * fine.g);
    stone *= 1.0 - 0.45 * smoothstep(0.10, 0.02, edge);
    slab = mix(slab, stone, kerb);

    vec3 grass = mix(vec3(0.10, 0.14, 0.045), vec3(0.20, 0.17, 0.09), smoothstep(0.45, 0.62, wide.g * 0.5 + mid.r * 0.5));
    grass *= 0.6 + 0.8 * fine.g;
    vec3 plot = vec3(0.26, 0.23, 0.20) * (0.7 + 0.4 * mid.b) * (0.85 + 0.3 * fine.r);

    float sum = max(what.r + what.g + what.b + what.a, 1e-3);
    vec3 albedo = (road * what.r + slab * what.g + grass * what.b + plot * what.a) / sum;
    float mirrors = 0.0;
    if (wetness > 0.0) {
        vec3 way = normalize(at - eye);
        float puddle = smoothstep(0.40, 0.78, wide.b * 0.5 + mid.b * 0.5);
        float open = (what.r + 0.6 * what.g) / sum;
        albedo *= 1.0 - 0.45 * wetness * open;
        float fresnel = 0.04 + 0.96 * pow(1.0 + way.z, 4.0);
        mirrors = clamp(open * wetness * (0.14 + 0.42 * puddle + 0.06 * fine.g) * (0.30 + 1.5 * fresnel), 0.0, 0.80);
    }
    show(albedo, vec3(0.0, 0.0, 1.0), at, 0.0, mirrors);
}
