uniform vec3 zenith;
uniform float overcast;
in vec3 way;
void main() {
    vec3 d = normalize(way);
    float up = max(d.z, 0.0);
    vec3 c = mix(haze_color, zenith, 1.0 - exp(-4.0 * up));
    vec2 p = d.xy / (up + 0.12);
    float cover = texture(clouds, p * 0.09).b * 0.65 + texture(clouds, p * 0.23).g * 0.35;
    c = mix(c, haze_color * 1.12, smoothstep(0.50 - 0.3 * overcast, 0.72, cover) * 0.8 * smoothstep(0.0, 0.25, up));
    c += sun_color * 0.25 * pow(max(dot(d, sun), 0.0), 24.0);
    color_lit = vec4(sqrt(clamp(c, 0.0, 1.0)), 1.0);
    color_shaded = color_lit;
    color_albedo = vec4(0.0);
}
