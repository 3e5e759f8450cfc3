uniform sampler2D shadow_map;
uniform mat4 sun_camera;
uniform sampler2D clouds;    // four kinds of tiling noise
uniform int lamps;
uniform vec4 lamp[16];
uniform vec3 lamp_color;
layout(location = 0) out vec4 color_lit;
layout(location = 1) out vec4 color_shaded;
layout(location = 2) out vec4 color_albedo;

float sunlit(vec3 p) {
    vec4 q = sun_camera * vec4(p, 1.0);
    vec3 s = q.xyz * 0.5 + 0.5;
    if (any(lessThan(s, vec3(0.0))) || any(greaterThan(s, vec3(1.0)))) return 1.0;
    float open = 0.0;
    for (int i = -1; i <= 1; i++)
        for (int j = -1; j <= 1; j++)
            open += step(s.z - 0.002, texture(shadow_map, s.xy + vec2(i, j) * 0.8 / 2048.0).r);
    return open / 9.0;
}

vec3 lamplit(vec3 p, vec3 n) {
    vec3 sum = vec3(0.0);
    for (int i = 0; i < lamps; i++) {
        vec3 way = lamp[i].xyz - p;
        float far = length(way);
        float cone = smoothstep(0.15, 0.9, way.z / far);
        sum += lamp_color * cone * max(dot(n, way / far), 0.0) * lamp[i].w / (far * far);
    }
    return sum;
}

void show(vec3 albedo, vec3 n, vec3 p, float glow, float wetness) {
    float far = length(p - eye);
    vec3 base = albedo * (ambient(n.z) + lamplit(p, n)) + albedo * glow;
    vec3 direct = albedo * sun_color * max(dot(n, sun), 0.0) * sunlit(p);
    color_lit = vec4(sqrt(clamp(veiled(base + direct, far), 0.0, 1.0)), 1.0);
    color_shaded = vec4(sqrt(clamp(veiled(base, far), 0.0, 1.0)), 1.0);
    color_albedo = vec4(sqrt(albedo), wetness);
}
